import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSystem } from "../host/fake.ts";
import { lineBytes, oneLine, sayOnStderr } from "./one-line.ts";

test("a text becomes a line", () => {
  const rows: [text: string, line: string][] = [
    ["as it is", "as it is"],
    ["  indented", "  indented"],
    ["one\ntwo\r\n\n  three\n", "one; two; three"],
    ["A sentence.\nAnother:\n  more", "A sentence. Another: more"],
    ["a\tb\u0000\u001b[31mc\u0085d\u2028e\u2029f", "a b [31mc d e f"],
    ["grüße 🙂", "grüße 🙂"],
    ["", ""],
  ];
  for (const [text, line] of rows) assert.equal(oneLine(text), line);
});

test("a run of blanks takes no time to speak of", () => {
  const blanks = " ".repeat(1_000_000);
  assert.equal(oneLine(`${blanks}.${blanks}x${blanks}\n`), `${blanks}.${blanks}x`);
});

test("a line that is too long is cut between characters, with a mark", () => {
  const { host } = new FakeSystem();
  const cut = (line: string, most?: number) => host.decode(lineBytes(host, line, most));
  assert.equal(cut("short"), "short\n");
  assert.equal(cut("x".repeat(4095)), `${"x".repeat(4095)}\n`);
  assert.equal(cut("x".repeat(4096)), `${"x".repeat(4056)}… (40 bytes more)\n`);
  for (let shift = 0; shift < 4; shift++) {
    const line = "y".repeat(shift) + "🙂".repeat(2000);
    const [, kept, rest] = /^(.*)… \((\d+) bytes more\)\n$/.exec(cut(line))!;
    assert.ok(line.startsWith(kept!));
    assert.equal(Buffer.byteLength(kept!) + Number(rest), Buffer.byteLength(line));
    assert.ok(lineBytes(host, line).length <= 4096);
  }
  assert.equal(cut("x".repeat(9000), Number.POSITIVE_INFINITY).length, 9001);
});

test("stderr that takes nothing is not waited for", () => {
  const system = new FakeSystem();
  const waits: number[] = [];
  system.sys.write = (fd, _, timeoutMs) => {
    waits.push(fd, timeoutMs);
    return -110;
  };
  sayOnStderr(system.host, "a line");
  assert.deepEqual(waits, [2, 0]);
});
