import assert from "node:assert/strict";
import { test } from "node:test";
import { median, ratioByPairs, summarize } from "./statistics.ts";

const medians: [number[], number][] = [
  [[3], 3],
  [[3, 1], 2],
  [[10, 9, 100], 10],
  [[4, 1, 3, 2], 2.5],
];

for (const [values, expected] of medians)
  test(`the median of ${values} is ${expected}`, () => assert.equal(median(values), expected));

test("the median leaves its input as it is", () => {
  const values = [3, 1, 2];
  median(values);
  assert.deepEqual(values, [3, 1, 2]);
});

test("nothing has no median", () => assert.throws(() => median([]), RangeError));

test("a summary holds the extremes and the number of samples", () =>
  assert.deepEqual(summarize([5, 1, 9]), { median: 5, min: 1, max: 9, count: 3 }));

test("a ratio compares within pairs: a slow moment of the machine cancels out", () =>
  assert.equal(ratioByPairs([2, 4, 200], [1, 2, 100]), 2));

test("a ratio of series that do not pair is refused", () =>
  assert.throws(() => ratioByPairs([1, 2], [1]), RangeError));
