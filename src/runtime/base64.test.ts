import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromBase64, toBase64 } from "./base64.ts";

test("base64 is what Node makes of it, and comes back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = toBase64(bytes);
      assert.equal(text, Buffer.from(bytes).toString("base64"));
      assert.deepEqual(fromBase64(text), bytes);
    }),
  );
});

for (const text of ["a", "ab", "abc", "a===", "ab=c", "ab c", "ab-_"])
  test(`${JSON.stringify(text)} is no base64`, () => assert.equal(fromBase64(text), undefined));
