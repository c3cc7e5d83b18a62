import { type Case, equal } from "./case.ts";

/** Text and its bytes, both ways. */
const SAME: readonly [text: string, utf8: number[]][] = [
  ["", []],
  ["a\0b", [0x61, 0, 0x62]],
  ["\x7f\x80\u07ff\u0800\uffff", [0x7f, 0xc2, 0x80, 0xdf, 0xbf, 0xe0, 0xa0, 0x80, 0xef, 0xbf, 0xbf]],
  ["\ud7ff\ue000", [0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80]],
  ["\u{10000}\u{10ffff}", [0xf0, 0x90, 0x80, 0x80, 0xf4, 0x8f, 0xbf, 0xbf]],
  ["\ufeffx", [0xef, 0xbb, 0xbf, 0x78]],
];

/** Halves of surrogate pairs have no UTF-8. */
const HALVES: readonly [text: string, becomes: string][] = [
  ["\ud800", "\ufffd"],
  ["a\udfffb", "a\ufffdb"],
  ["\ud83d\ud83d\ude00", "\ufffd\u{1f600}"],
  ["\ude00\ud83d", "\ufffd\ufffd"],
];

/** Bytes that are no UTF-8, after the Encoding standard. */
const BAD: readonly [bytes: number[], becomes: string][] = [
  [[0xff], "\ufffd"],
  [[0x61, 0x80, 0x62], "a\ufffdb"],
  [[0xc0, 0xaf], "\ufffd\ufffd"],
  [[0xc1, 0xbf, 0x61], "\ufffd\ufffda"],
  [[0xc2], "\ufffd"],
  [[0xc2, 0x61], "\ufffda"],
  [[0xe0, 0x80, 0x80], "\ufffd\ufffd\ufffd"],
  [[0xe0, 0xa0], "\ufffd"],
  [[0xe2, 0x82, 0x61], "\ufffda"],
  [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
  [[0xf0, 0x8f, 0xbf, 0xbf], "\ufffd\ufffd\ufffd\ufffd"],
  [[0xf0, 0x9f, 0x98], "\ufffd"],
  [[0xf0, 0x9f, 0x98, 0xc3, 0xa9], "\ufffdé"],
  [[0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"],
  [[0xf5, 0x80], "\ufffd\ufffd"],
  [[0xef, 0xbb], "\ufffd"],
];

export const textCases: readonly Case[] = [
  {
    name: "text to UTF-8 and back",
    level: "fake",
    run({ host }) {
      for (const [text, utf8] of SAME) {
        equal([...host.encode(text)], utf8, JSON.stringify(text));
        equal(host.decode(Uint8Array.from(utf8)), text, utf8.join());
      }
      const long = "Grüße, 世界 😀\n".repeat(20_000);
      equal(host.decode(host.encode(long)) === long, true, "long text");
    },
  },
  {
    name: "what has no UTF-8, and what is none, becomes U+FFFD",
    level: "fake",
    run({ host }) {
      for (const [text, becomes] of HALVES)
        equal(host.decode(host.encode(text)), becomes, JSON.stringify(text));
      for (const [bytes, becomes] of BAD) equal(host.decode(Uint8Array.from(bytes)), becomes, bytes.join());
      equal(host.decode(Uint8Array.of(0x61, 0x62, 0x63, 0xc3).subarray(1, 3)), "bc", "a part of an array");
    },
  },
];
