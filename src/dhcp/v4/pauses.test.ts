import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeSystem } from "../../host/fake.ts";
import { Host } from "../../host/host.ts";
import { jittered, renewalPause, resendPause } from "./pauses.ts";

/** A host whose random bytes are these. */
function hostWith(low: number, high: number): Host {
  const random = (into: Uint8Array) => {
    into.set([low, high]);
    return into.length;
  };
  return new Host({ ...new FakeSystem().sys, random });
}

const bytes = fc.tuple(fc.nat(0xff), fc.nat(0xff));

test("a pause before the same message doubles, a quarter more or less, up to the longest", () => {
  fc.assert(
    fc.property(bytes, fc.nat(20), fc.integer({ min: 1, max: 200_000 }), ([low, high], attempt, longest) => {
      const pause = resendPause(hostWith(low, high), attempt, longest);
      const middle = Math.min(2000 * 2 ** attempt, longest * 0.8);
      assert.ok(pause <= longest && pause >= middle * 0.75 && pause <= middle * 1.25, `${pause}`);
    }),
  );
  const rows: [attempt: number, longest: number, pause: number][] = [
    [0, 62_000, 2000],
    [1, 62_000, 4000],
    [4, 62_000, 32_000],
    [5, 62_000, 49_600],
    [50, 62_000, 49_600],
    [0, 1000, 800],
  ];
  for (const [attempt, longest, pause] of rows)
    assert.equal(resendPause(hostWith(0, 0x80), attempt, longest), pause);
});

test("chance reaches as far as it is said to, and evenly", () => {
  assert.equal(jittered(hostWith(0, 0), 100, 0.25), 75);
  assert.equal(jittered(hostWith(0, 0x80), 100, 0.25), 100);
  assert.ok(jittered(hostWith(0xff, 0xff), 100, 0.25) > 124.99);
  assert.equal(jittered(hostWith(0, 0x40), 100, 0.25), 87.5);
  assert.equal(jittered(hostWith(1, 2), Number.POSITIVE_INFINITY, 0.25), Number.POSITIVE_INFINITY);
});

test("a renewal is repeated in half of what is left, seldom, but in time", () => {
  const day = 86_400_000;
  const rows: [left: number, span: number, pause: number][] = [
    // From T1 of a lease of a day.
    [0.375 * day, 0.5 * day, 0.1875 * day],
    [240_000, 0.5 * day, 120_000],
    // A minute at least, and never past T2.
    [100_000, 0.5 * day, 60_000],
    [40_000, 0.5 * day, 40_000],
    // Of a minute, and of 8 s.
    [22_500, 30_000, 11_250],
    [5_000, 30_000, 3_750],
    [2_000, 30_000, 2_000],
    [3_000, 4_000, 1_500],
    [600, 4_000, 500],
  ];
  for (const [left, span, pause] of rows) assert.equal(renewalPause(left, span), pause);
  const times = fc.record({ left: fc.integer({ min: 1, max: day }), more: fc.nat(day) });
  fc.assert(
    fc.property(times, ({ left, more }) => {
      const pause = renewalPause(left, left + more);
      assert.ok(pause > 0 && pause <= left);
    }),
  );
});
