import assert from "node:assert/strict";
import { test } from "node:test";
import { type Options, parseArguments, takeOperands, UsageError } from "./arguments.ts";

const options: Options = {
  ifname: { short: "i", value: "NAME", help: "" },
  keep: { value: "ID", help: "" },
  json: { help: "" },
  help: { short: "h", help: "" },
};

const rows: [words: string, operands: string[], values: Record<string, string[]>][] = [
  ["", [], {}],
  ["net /ns", ["net", "/ns"], {}],
  ["-i eth1 net", ["net"], { ifname: ["eth1"] }],
  ["net -ieth1 ns", ["net", "ns"], { ifname: ["eth1"] }],
  ["--ifname=a=b net", ["net"], { ifname: ["a=b"] }],
  ["--ifname a --ifname b", [], { ifname: ["a", "b"] }],
  ["--keep x --json --keep y -h", [], { keep: ["x", "y"], json: [""], help: [""] }],
  ["-- --json -i", ["--json", "-i"], {}],
  ["net -", ["net", "-"], {}],
  ["--ifname -h", [], { ifname: ["-h"] }],
];
for (const [words, operands, values] of rows)
  test(`"${words}"`, () => {
    const args = parseArguments(words.split(" ").filter(Boolean), options);
    assert.deepEqual(args.operands, operands);
    for (const name of Object.keys(options)) {
      assert.deepEqual(args.values(name), values[name] ?? []);
      assert.equal(args.has(name), name in values);
      assert.equal(args.value(name), values[name]?.at(-1));
    }
  });

for (const [words, message] of [
  ["--nope", "unknown option --nope"],
  ["--nope=1", "unknown option --nope"],
  ["-x", "unknown option -x"],
  ["--json=1", '--json takes no value, got "1"'],
  ["-hx", '-h takes no value, got "x"'],
  ["net --ifname", "--ifname needs a value: --ifname NAME"],
] as const)
  test(`"${words}" is wrong usage`, () => {
    assert.throws(() => parseArguments(words.split(" "), options), new UsageError(message));
  });

for (const words of ["--json sh -c --keep", "--json -- sh -c --keep"])
  test(`a command of one's own keeps its options: ${words}`, () => {
    const args = parseArguments(words.split(" "), options, true);
    assert.deepEqual(args.operands, ["sh", "-c", "--keep"]);
    assert.equal(args.has("keep"), false);
  });

test("operands are as many as named", () => {
  const args = (words: string) => parseArguments(words.split(" ").filter(Boolean), options);
  assert.deepEqual(takeOperands(args("a b"), "NETWORK", "NETNS"), ["a", "b"]);
  assert.deepEqual(takeOperands(args("a"), "NETWORK", "[NETNS]"), ["a"]);
  assert.throws(() => takeOperands(args("a"), "NETWORK", "NETNS"), new UsageError("NETNS is missing"));
  assert.throws(() => takeOperands(args("a b c"), "A", "B"), new UsageError('unexpected argument "c"'));
});

test("an operand is not empty, as what a failed $(…) leaves, unless it may be missing", () => {
  const args = parseArguments(["a", ""], options);
  assert.throws(() => takeOperands(args, "NETWORK", "NETNS"), new UsageError("NETNS is empty"));
  assert.deepEqual(takeOperands(args, "NETWORK", "[NETNS]"), ["a", ""]);
});
