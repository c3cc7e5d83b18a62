import assert from "node:assert/strict";
import { test } from "node:test";
import { allOrNothing } from "./all-or-nothing.ts";

const fail = (message: string) => () => {
  throw new RangeError(message);
};

test("what was made is given, and not removed", () => {
  assert.equal(
    allOrNothing(() => 7, fail("removed")),
    7,
  );
});

test("a failure is undone, and reported as it is", () => {
  let removed = 0;
  const remove = () => {
    removed++;
  };
  assert.throws(() => allOrNothing(fail("no room"), remove), { name: "RangeError", message: "no room" });
  assert.equal(removed, 1);
});

test("what could not be undone is told with it", () => {
  assert.throws(() => allOrNothing(fail("no room"), fail("no way")), {
    name: "RangeError",
    message: "no room (and not undone: no way)",
  });
});
