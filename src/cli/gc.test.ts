import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArguments, UsageError } from "./arguments.ts";
import { command, gcText, namedAttachments } from "./gc.ts";

const named = (...words: string[]) => namedAttachments(parseArguments(words, command.options));

test("--keep and --all", () => {
  assert.equal(named(), undefined);
  assert.deepEqual(named("--all"), []);
  assert.deepEqual(named("--keep", "a/eth0", "--keep=b-c/net1"), [
    { containerID: "a", ifname: "eth0" },
    { containerID: "b-c", ifname: "net1" },
  ]);
});

for (const words of [
  ["--keep", "a"],
  ["--keep", "a/"],
  ["--keep", "/eth0"],
  ["--keep", "a/b/c"],
  ["--all", "--keep", "a/b"],
])
  test(`"${words.join(" ")}" is wrong usage`, () => assert.throws(() => named(...words), UsageError));

test("what was done, for people", () => {
  assert.equal(
    gcText("n", [{ containerID: "a", ifname: "eth0" }], [{ containerID: "b", ifname: "eth1" }]),
    "network n: 1 kept, 1 removed\n  kept    a/eth0\n  removed b/eth1\n",
  );
  assert.equal(gcText("n", [], []), "network n: 0 kept, 0 removed\n");
});
