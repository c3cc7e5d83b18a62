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

/** Lengths around the 112 and 128 bytes where the padding and the blocks of SHA-512 change. */
const DIGESTS: readonly [text: string, digest: string][] = [
  [
    "",
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
  ],
  [
    "abc",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ],
  [
    "ü".repeat(56),
    "c490413432869516cbb8c533f297ae19dca0f4ce6a940e7a6f1492e9aeb7d2834c416c137d4e8d288495e98ccece43794511f5ef085d3f730231b2c56f24dd27",
  ],
  [
    "x".repeat(111),
    "9a2a120825c2319867758ec277924f6faa254968bf752046dacdd948d8ad299b10359fd04bfd7d3810b5fa1b16a294236138baff981cbb85248478053ac4d3dd",
  ],
  [
    "x".repeat(128),
    "e2e22f8422b54b06e35c3ea30a383d1de7a8fbc27992923074103117020d8dd7024c3ecf7d6d1a15a6de5a75ff32fb486b9e8ced4c02ffe05822bf2cb734d0e0",
  ],
  [
    "x".repeat(100_000),
    "2d23dd09caf6e50db183bab106d2fd4c222fcc552d2c708d1606009e981c74605c604dd4302c72b052bd0e3fcbb006bb55c813469b10b85abab30b964a16d18c",
  ],
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
  {
    name: "SHA-512",
    level: "fake",
    run({ host }) {
      for (const [text, digest] of DIGESTS)
        equal(host.sha512(text), digest, `digest of ${text.length} characters`);
    },
  },
];
