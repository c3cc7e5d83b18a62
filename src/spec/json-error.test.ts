import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeJsonError, locateJsonError } from "./json-error.ts";

test("the place where text stops being JSON is found", () => {
  const rows: [text: string, line: number, column: number, found: string][] = [
    ["", 1, 1, "end of text"],
    ["  \n ", 2, 2, "end of text"],
    ["{", 1, 2, "end of text"],
    ['{"a": 1,\n "b": 2,\n}', 3, 1, '"}"'],
    ['{"a": 1\n "b": 2}', 2, 2, '"\\"b"'],
    ['{"a" 1}', 1, 6, '"1"'],
    ["{a: 1}", 1, 2, '"a"'],
    ["[1, 2,]", 1, 7, '"]"'],
    ["[1, 2}", 1, 6, '"}"'],
    ["[1 2]", 1, 4, '"2"'],
    ['{"a": tru}', 1, 7, '"tru"'],
    ['{"a": 01}', 1, 8, '"1"'],
    ["{'a': 1}", 1, 2, '"\'"'],
    ['{"a": 1} // no comments', 1, 10, '"/"'],
    ['"line\nbreak"', 1, 1, '"\\"line"'],
    ["{} {}", 1, 4, '"{"'],
    ["\ufeff{}", 1, 1, '"\ufeff"'],
  ];
  for (const [text, line, column, found] of rows) {
    assert.throws(() => JSON.parse(text), SyntaxError, text);
    assert.deepEqual(locateJsonError(text), { line, column, found }, text);
  }
});

test("the place is shown by what stands before it in its line", () => {
  const rows: [text: string, description: string][] = [
    ["", "Unexpected end of text in line 1, column 1"],
    ['{"name":', 'Unexpected end of text in line 1, column 9, after {"name":'],
    ['{"a": 1,\n  }', 'Unexpected "}" in line 2, column 3'],
    ['{\n  "a": 1 2\n}', 'Unexpected "2" in line 2, column 10, after "a": 1'],
    [`{"a": "${"x".repeat(40)}" 1`, `Unexpected "1" in line 1, column 50, after ...${"x".repeat(29)}"`],
  ];
  for (const [text, description] of rows) assert.equal(describeJsonError(text), description);
});

test("JSON is followed to its end", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 1, "\t"), (value, space) => {
      const text = JSON.stringify(value, undefined, space);
      assert.equal(locateJsonError(text).found, "end of text");
    }),
  );
});

test("what is refused is refused at or before its wrong character", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), (value, seed) => {
      const text = JSON.stringify([value]);
      const at = seed % text.length;
      const broken = `${text.slice(0, at)}\u0001${text.slice(at)}`;
      assert.ok(locateJsonError(broken).column <= at + 1);
    }),
  );
});
