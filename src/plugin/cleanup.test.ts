import assert from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../host/errno.ts";
import { SysError } from "../host/host.ts";
import { CniError } from "../spec/errors.ts";
import { CleanupList } from "./cleanup.ts";

const fail = (error: unknown) => () => {
  throw error;
};

test("every step is tried, at once and in order", () => {
  const done: string[] = [];
  const cleanup = new CleanupList();
  cleanup.step("do a", () => void done.push("a"));
  cleanup.step("do b", fail(new Error("no")));
  cleanup.step("do c", () => void done.push("c"));
  assert.deepEqual(done, ["a", "c"]);
  assert.throws(() => cleanup.finish());
});

test("without an error there is none", () => {
  const cleanup = new CleanupList();
  cleanup.finish();
  cleanup.step("do it", () => {});
  cleanup.finish();
});

test("one error keeps its code and details", () => {
  const cleanup = new CleanupList();
  cleanup.step("release the addresses", fail(new CniError(51, "no daemon", "Start it.")));
  assert.throws(() => cleanup.finish(), {
    code: 51,
    message: "cannot release the addresses: no daemon",
    details: "Start it.",
  });
});

test("of several the first gives code and message, and all are in the details", () => {
  const cleanup = new CleanupList();
  cleanup.step("remove a file", fail(new SysError("unlink", errno.EROFS, "/x")));
  cleanup.step("do that", fail(new CniError(7, "no")));
  assert.throws(() => cleanup.finish(), {
    code: 5,
    message: "cannot remove a file: unlink /x: EROFS",
    details: [
      "cannot remove a file: unlink /x: EROFS (The file system is read-only: choose a directory that can be written.)",
      "cannot do that: no",
    ].join("\n"),
  });
});
