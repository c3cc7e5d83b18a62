import assert from "node:assert/strict";
import { test } from "node:test";
import { UndoList } from "./undo.ts";

test("steps are undone newest first, one after the other, and once", async () => {
  const undone: string[] = [];
  const undo = new UndoList();
  undo.add("undo a", () => void undone.push("a"));
  const thing = { remove: () => void undone.push("b") };
  assert.equal(undo.keep(thing), thing);
  undo.add("undo c", async () => {
    await undefined;
    undone.push("c");
  });
  assert.deepEqual(await undo.run(), []);
  assert.deepEqual(undone, ["c", "b", "a"]);
  assert.deepEqual(await undo.run(), []);
  assert.equal(undone.length, 3);
});

test("what cannot be undone is told, and stops nothing", async () => {
  let undone = 0;
  const undo = new UndoList();
  undo.add("remove the bridge", () => void undone++);
  undo.add("delete eth0", () => {
    throw new Error("no such link");
  });
  undo.add("release the addresses", () => Promise.reject("no disk"));
  assert.deepEqual(await undo.run(), [
    "cannot release the addresses: no disk",
    "cannot delete eth0: no such link",
  ]);
  assert.equal(undone, 1);
});

test("as an error of its own, failures are one message", async () => {
  const undo = new UndoList();
  await undo.runOrThrow();
  undo.add("do this", () => Promise.reject(new Error("x")));
  undo.add("do that", () => Promise.reject(new Error("y")));
  await assert.rejects(undo.runOrThrow(), { message: "cannot do that: y; cannot do this: x" });
});
