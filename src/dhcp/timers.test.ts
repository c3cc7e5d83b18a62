import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Timer } from "./loop.ts";
import { Timers } from "./timers.ts";

/** Takes and calls all that is due. */
function callDue(timers: Timers, now: number): void {
  for (let call = timers.takeDue(now); call !== undefined; call = timers.takeDue(now)) call();
}

test("what is due is called in the order of its time, then of its setting", () => {
  const timers = new Timers();
  const called: string[] = [];
  for (const [at, name] of [
    [20, "c"],
    [10, "a"],
    [20, "d"],
    [10, "b"],
    [30, "e"],
  ] as const)
    timers.add(at, () => called.push(name));
  assert.equal(timers.next, 10);
  callDue(timers, 9);
  assert.deepEqual(called, []);
  callDue(timers, 20);
  assert.equal(called.join(""), "abcd");
  assert.equal(timers.next, 30);
});

test("what is cancelled is not called, be it before, while or after its time has come", () => {
  const timers = new Timers();
  const called: string[] = [];
  const first = timers.add(10, () => {
    called.push("first");
    second.cancel();
    first.cancel();
  });
  const second = timers.add(10, () => called.push("second"));
  timers.add(5, () => called.push("never")).cancel();
  assert.equal(timers.next, 10);
  callDue(timers, 10);
  first.cancel();
  assert.deepEqual(called, ["first"]);
  assert.equal(timers.next, undefined);
});

test("any order of setting, cancelling and waiting is that of a sorted list", () => {
  const step = fc.oneof(
    fc.record({ add: fc.nat(20) }),
    fc.record({ cancel: fc.nat(30) }),
    fc.record({ wait: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const timers = new Timers();
      const called: number[] = [];
      const expected: number[] = [];
      let waiting: { at: number; id: number }[] = [];
      const set: Timer[] = [];
      let now = 0;
      for (const one of steps)
        if ("add" in one) {
          const id = set.length;
          set.push(timers.add(now + one.add, () => called.push(id)));
          waiting.push({ at: now + one.add, id });
        } else if ("cancel" in one) {
          set[one.cancel]?.cancel();
          waiting = waiting.filter(({ id }) => id !== one.cancel);
        } else {
          now += one.wait;
          callDue(timers, now);
          const due = waiting.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at || a.id - b.id);
          expected.push(...due.map(({ id }) => id));
          waiting = waiting.filter(({ at }) => at > now);
        }
      assert.deepEqual(called, expected);
    }),
  );
});
