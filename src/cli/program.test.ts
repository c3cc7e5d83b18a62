import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { errno } from "../host/errno.ts";
import { openHost } from "../host/node.node.ts";
import { findProgram, startFailureCode } from "./program.ts";
import { exitCodeOf } from "./signals.ts";

test("a command is the first executable file of its name in PATH", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "plumb-program-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const name of ["a", "b", "c"]) mkdirSync(join(dir, name));
  mkdirSync(join(dir, "a/tool"));
  writeFileSync(join(dir, "b/tool"), "", { mode: 0o644 });
  writeFileSync(join(dir, "c/tool"), "");
  chmodSync(join(dir, "c/tool"), 0o755);
  const host = openHost();
  host.variable = (name) =>
    name === "PATH" ? ["a", "b", "c"].map((part) => join(dir, part)).join(":") : undefined;
  assert.equal(findProgram(host, "tool"), join(dir, "c/tool"));
  assert.equal(findProgram(host, "other"), undefined);
  assert.equal(findProgram(host, "./other"), "./other");
  host.variable = () => undefined;
  assert.match(findProgram(host, "sh") ?? "", /^\/(usr\/)?bin\/sh$/);
});

test("exit codes as shells give them", () => {
  assert.deepEqual([0, 1 << 8, 255 << 8, 15, 9 | 0x80].map(exitCodeOf), [0, 1, 255, 143, 137]);
  const codes = [errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.EPERM].map(startFailureCode);
  assert.deepEqual(codes, [127, 126, 126, undefined]);
});
