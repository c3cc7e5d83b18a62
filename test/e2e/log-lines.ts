// Lines of a log in the form logfmt, read as strictly as they are to be written.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export type LogLine = Readonly<Record<string, string>>;

const PAIR = /(\w+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |$)/y;

/** The keys and values of a line; fails if it holds anything else. */
export function parseLine(line: string): LogLine {
  const pairs: [string, string][] = [];
  PAIR.lastIndex = 0;
  for (let at = 0; at < line.length; at = PAIR.lastIndex) {
    const match = PAIR.exec(line);
    assert.ok(match, `no logfmt at ${at}: ${line}`);
    const [, key, value] = match;
    pairs.push([key!, value!.startsWith('"') ? JSON.parse(value!) : value!]);
  }
  const names = pairs.map(([key]) => key);
  assert.deepEqual(names.slice(0, 3), ["time", "level", "msg"], line);
  assert.equal(new Set(names).size, names.length, line);
  return Object.fromEntries(pairs);
}

export function readLog(path: string): LogLine[] {
  const text = readFileSync(path, "utf8");
  assert.ok(text === "" || text.endsWith("\n"), "the last line has its end");
  return text.split("\n").slice(0, -1).map(parseLine);
}
