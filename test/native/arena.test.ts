import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "../root.ts";

test("memory is apart, aligned, zero where that was asked for, and used again", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "plumb-arena-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const program = join(directory, "arena");
  const engine = dirname(createRequire(import.meta.url).resolve("@scriptc/runtime/package.json"));
  const folders = ["-Inative", `-I${engine}/vendor/quickjs-ng`];
  const flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-fsanitize=undefined", "-fno-sanitize-recover"];
  execFileSync("gcc", [...flags, ...folders, "native/arena.c", "test/native/arena.c", "-o", program], {
    cwd: root,
  });
  const { status, stdout, stderr } = spawnSync(program, { encoding: "utf8" });
  const lines = stdout.split("\n").filter((line) => !/^\d*$/.test(line));
  assert.deepEqual([status, lines.slice(0, 10), stderr], [0, [], ""]);
});
