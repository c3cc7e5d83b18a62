import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { sha512 } from "./fake-sha512.ts";

const expected = (bytes: Uint8Array) => createHash("sha512").update(bytes).digest("hex");

test("the digest is that of an independent implementation, at any length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      assert.equal(sha512(bytes), expected(bytes));
    }),
  );
});

test("lengths round the ends of blocks", () => {
  for (const length of [0, 1, 111, 112, 113, 127, 128, 129, 239, 240, 241, 255, 256]) {
    const bytes = new Uint8Array(length).fill(0xa5);
    assert.equal(sha512(bytes), expected(bytes), `length ${length}`);
  }
});

test("a view of a larger buffer is hashed alone", () => {
  const bytes = new TextEncoder().encode("..eth0:0123456789..").subarray(2, -2);
  assert.equal(sha512(bytes), expected(bytes));
});
