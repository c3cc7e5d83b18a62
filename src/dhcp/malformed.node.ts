import assert from "node:assert/strict";
import fc from "fast-check";
import { WireError } from "../netlink/codec.ts";

/** What went wrong with a message on its way, or was done to it: each step cuts, overwrites, repeats or inserts. */
export function damaged(messages: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(Math.max(...messages.map(({ length }) => length)));
  const step = fc.oneof(
    fc.record({ at, with: fc.uint8Array({ minLength: 1, maxLength: 4 }), count: fc.nat(4) }),
    // Lengths and pointers at their limits.
    fc.record({ at, with: fc.constantFrom([0], [1], [63], [64], [0xc0, 0], [254], [255]), count: fc.nat(2) }),
    fc.record({ at, repeat: fc.nat(64) }),
    fc.record({ at, cut: fc.constant(true) }),
  );
  const apply = (bytes: Uint8Array, change: Step): Uint8Array => {
    const before = [...bytes.subarray(0, change.at)];
    const after = bytes.subarray(change.at);
    if (change.cut) return Uint8Array.from(before);
    if (change.repeat !== undefined)
      return Uint8Array.from([...before, ...after.subarray(0, change.repeat), ...after]);
    return Uint8Array.from([...before, ...change.with!, ...after.subarray(change.count!)]);
  };
  return fc
    .tuple(fc.constantFrom(...messages), fc.array(step, { minLength: 1, maxLength: 4 }))
    .map(([message, steps]) => (steps as Step[]).reduce(apply, message));
}

interface Step {
  readonly at: number;
  readonly with?: ArrayLike<number> & Iterable<number>;
  readonly count?: number;
  readonly repeat?: number;
  readonly cut?: boolean;
}

/** What `decode` gives; undefined where it refuses with a WireError. Any other error fails the test. */
export function decodedOrRefused<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    assert.ok(error instanceof WireError, String(error instanceof Error ? error.stack : error));
    // What an operator reads: a line without control characters.
    assert.match(error.message, /^[ -~]{1,400}$/);
    return undefined;
  }
}

/** A name that may be written into a file like resolv.conf. */
export function assertSaneName(name: string): void {
  assert.match(name, /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$/);
  assert.ok(name.length <= 253, name);
}
