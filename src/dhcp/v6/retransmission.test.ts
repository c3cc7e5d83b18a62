import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeSystem } from "../../host/fake.ts";
import { EXTEND, fraction, type Pattern, pause, REQUEST, SOLICIT, within } from "./retransmission.ts";

/** Pauses with the same randomness each time. */
function pauses(pattern: Pattern, random: number, count: number): number[] {
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push(Math.round(pause(pattern, all.at(-1), random)));
  return all;
}

test("pauses double up to the longest", () => {
  const rows: [Pattern, random: number, expected: number[]][] = [
    // 0.5 is no randomness, but that the first pause is never shorter than the pattern's.
    [REQUEST, 0.5, [1050, 2100, 4200, 8400, 16800, 30000, 30000]],
    [within(REQUEST, 4000), 0, [1100, 2090, 3971, 3600]],
    [EXTEND, 0.999999, [10000, 21000, 44100, 92610]],
    [within(EXTEND, 5000), 0.5, [5250, 5000, 5000]],
    [within(SOLICIT, 2000), 0.5, [1050, 2000, 2000]],
  ];
  for (const [pattern, random, expected] of rows)
    assert.deepEqual(pauses(pattern, random, expected.length), expected);
});

test("randomness is at most a tenth, as section 15 says", () => {
  const random = fc.nat(0xffffffff).map((value) => value / 2 ** 32);
  fc.assert(
    fc.property(random, fc.double({ min: 900, max: 40_000, noNaN: true }), (fractionOfOne, previous) => {
      const first = pause(REQUEST, undefined, fractionOfOne);
      assert.ok(first > 1000 && first <= 1100);
      const next = pause(REQUEST, previous, fractionOfOne);
      assert.ok(next <= REQUEST.longest * 1.1);
      assert.ok(next >= Math.min(previous * 1.9, REQUEST.longest * 0.9));
    }),
  );
});

test("fractions are spread between 0 and 1", () => {
  const { host } = new FakeSystem();
  const all = Array.from({ length: 200 }, () => fraction(host));
  assert.ok(all.every((value) => value >= 0 && value < 1));
  assert.ok(Math.min(...all) < 0.2 && Math.max(...all) > 0.8);
});
