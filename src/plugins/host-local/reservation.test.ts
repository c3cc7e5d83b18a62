import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatOwner, parseOwner } from "./reservation.ts";

test("reads what was written whole", () => {
  const cases: [string, string, string][] = [
    ["c1\r\neth0", "c1", "eth0"],
    ["c1\r\neth0\n", "c1", "eth0"],
    ["  c1 \r\neth0", "c1", "eth0"],
    ["c1", "c1", ""],
    ["c1\n", "c1", ""],
  ];
  for (const [text, containerId, ifName] of cases)
    assert.deepEqual(parseOwner(text), { containerId, ifName });
});

test("knows what is torn", () => {
  for (const text of ["", " ", "\n", "\r\n", "c1\r", "c1\r\n", "\r\neth0", "\0\0\0\0", "c1\r\n\0\0\0\0"])
    assert.equal(parseOwner(text), undefined, JSON.stringify(text));
});

test("a whole one is read back, and its beginnings never as another interface's", () => {
  const containerId = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/);
  const ifName = fc.stringMatching(/^[a-z][a-z0-9.@_-]{0,14}$/);
  fc.assert(
    fc.property(containerId, ifName, (id, name) => {
      const text = formatOwner({ containerId: id, ifName: name });
      assert.deepEqual(parseOwner(text), { containerId: id, ifName: name });
      for (let length = 0; length <= id.length + 2; length++) {
        const owner = parseOwner(text.slice(0, length));
        assert.equal(owner?.ifName ?? "", "");
      }
    }),
  );
});
