import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { plumb } from "../programs.ts";

test("the kernel is another than the one outside: Debian's, with modules", () => {
  assert.ok(existsSync("/lib/modules"));
});

test("the executable runs on Debian's kernel", () => {
  const options = {
    env: { CNI_COMMAND: "VERSION" },
    input: '{"cniVersion":"1.1.0"}',
    encoding: "utf8",
  } as const;
  const { status, stdout, stderr } = spawnSync(plumb, ["loopback"], options);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.match(stdout, /"supportedVersions":\[.*"1.1.0"/);
});
