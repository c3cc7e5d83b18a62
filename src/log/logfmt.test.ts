import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, logfmt } from "./logfmt.ts";

const NS = Date.parse("2026-11-30T17:39:50.123Z") * 1e6;

test("a line is as runtimes written in Go write theirs", () => {
  assert.equal(
    logfmt(NS, "error", 'no "way"', {
      plugin: "bridge",
      container: "c1",
      network: undefined,
      netns: "",
      code: 11,
    }),
    'time=2026-11-30T17:39:50.123Z level=error msg="no \\"way\\"" plugin=bridge container=c1 code=11',
  );
});

test("what is more than a word is quoted, and stays on its line", () => {
  const rows: [value: string, written: string][] = [
    ["word-1.2/3:4", "word-1.2/3:4"],
    ["two words", '"two words"'],
    ["a=b", '"a=b"'],
    ['"', '"\\""'],
    ["\\", '"\\\\"'],
    ["a\nb\u001b", '"a\\nb\\u001b"'],
    ["a\u0085\u2028b", '"a b"'],
    ["é", "é"],
  ];
  for (const [value, written] of rows)
    assert.equal(logfmt(NS, "info", "m", { value }).split(" value=")[1], written);
});

test("a value that is too long is cut, and says by how much", () => {
  const line = logfmt(NS, "debug", "m", { request: "x".repeat(20_000) });
  assert.match(line, / request="x{16384}… \(3616 characters more\)"$/);
});

test("durations are in milliseconds, then in seconds", () => {
  const rows: [ns: number, text: string][] = [
    [0, "0ms"],
    [1_234, "0ms"],
    [812_345, "0.81ms"],
    [3_200_000, "3.2ms"],
    [19_160_000, "19.2ms"],
    [999_900_000, "999.9ms"],
    [1_500_000_000, "1.5s"],
    [208_000_000_000, "208s"],
  ];
  for (const [ns, text] of rows) assert.equal(duration(ns), text);
});
