import assert from "node:assert/strict";
import { test } from "node:test";
import { isWithin, LEVELS, parseLevel } from "./level.ts";

test("a level is read in any case, and by the words of other plugins", () => {
  const rows = {
    error: "error",
    WARN: "warn",
    Info: "info",
    debug: "debug",
    warning: "warn",
    verbose: "info",
    panic: "error",
  };
  for (const [text, level] of Object.entries(rows)) assert.equal(parseLevel(text), level);
  for (const text of ["", "loud", "0", "constructor", "__proto__"]) assert.equal(parseLevel(text), undefined);
});

test("a log has all lines down to its level", () => {
  for (const [height, level] of LEVELS.entries())
    for (const [depth, least] of LEVELS.entries()) assert.equal(isWithin(level, least), height <= depth);
});
