import assert from "node:assert/strict";
import { test } from "node:test";
import { sparing, unrepeated } from "./log.ts";
import { VirtualScheduler } from "./virtual.node.ts";

test("of many lines in a minute the first are told, and that there were more", () => {
  const scheduler = new VirtualScheduler();
  const lines: string[] = [];
  const log = sparing((line) => lines.push(line), scheduler);
  const flood = () => {
    for (let number = 1; number <= 1000; number++) log(`line ${number}`);
  };
  flood();
  assert.deepEqual([lines.length, lines[19]], [21, "line 20"]);
  assert.match(lines[20]!, /^20 lines in a minute: the others are left out$/);
  scheduler.advance(59_999);
  flood();
  assert.equal(lines.length, 21);
  scheduler.advance(1);
  log("again");
  assert.equal(lines.at(-1), "again");
});

test("a line is not told again until another one was", () => {
  const lines: string[] = [];
  const log = unrepeated((line) => lines.push(line));
  for (const line of ["a", "a", "b", "b", "b", "a"]) log(line);
  assert.deepEqual(lines, ["a", "b", "a"]);
});
