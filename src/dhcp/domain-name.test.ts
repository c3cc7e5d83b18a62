import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WireError } from "../netlink/codec.ts";
import { decodeNames, isDomainName } from "./domain-name.ts";
import { assertSaneName, damaged, decodedOrRefused } from "./malformed.node.ts";

/** Texts are labels, with their length in front; numbers are bytes. */
function wire(...parts: (string | number)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : [part.length, ...Buffer.from(part, "latin1")],
    ),
  );
}

function pointer(to: number): [number, number] {
  return [0xc0 | (to >> 8), to & 0xff];
}

const L63 = "a".repeat(63);

test("names are read in all their forms", () => {
  const rows: [what: string, bytes: Uint8Array, names: string[]][] = [
    ["nothing", wire(), []],
    ["one name", wire("example", "org", 0), ["example.org"]],
    ["two names", wire("eng", "example", 0, "com", 0), ["eng.example", "com"]],
    ["case is kept", wire("Example", "ORG", 0), ["Example.ORG"]],
    ["digits, hyphen and underscore", wire("_dns-1", "10", 0), ["_dns-1.10"]],
    ["the root, and zeros that fill up", wire(0, "org", 0, 0, 0), ["org"]],
    // RFC 3397, section 2: eng.apple.com and marketing.apple.com, whose end is at 4.
    [
      "a search list",
      wire("eng", "apple", "com", 0, "marketing", ...pointer(4)),
      ["eng.apple.com", "marketing.apple.com"],
    ],
    [
      "a name that is a pointer",
      wire("example", "org", 0, ...pointer(0), ...pointer(8)),
      ["example.org", "example.org", "org"],
    ],
    ["a pointer to a pointer", wire("org", 0, ...pointer(0), ...pointer(5)), ["org", "org", "org"]],
    ["a pointer to the root", wire("org", 0, "com", ...pointer(4)), ["org", "com"]],
    ["the longest", wire(L63, L63, L63, "a".repeat(61), 0), [`${L63}.${L63}.${L63}.${"a".repeat(61)}`]],
  ];
  for (const [what, bytes, names] of rows) assert.deepEqual(decodeNames(bytes, true), names, what);
});

test("the example of RFC 1035, section 4.1.4", () => {
  // Counted from the first byte, where 20 others stand in the example.
  const names = wire("F", "ISI", "ARPA", 0, "FOO", ...pointer(0), ...pointer(6), 0);
  assert.deepEqual(decodeNames(names, true), ["F.ISI.ARPA", "FOO.F.ISI.ARPA", "ARPA"]);
});

test("what is no name is refused", () => {
  const rows: [what: string, bytes: Uint8Array][] = [
    ["a label without end", wire(5, 0x61)],
    ["a name without end", wire("org")],
    ["half a pointer", wire("org", 0, 0xc0)],
    ["a pointer to itself", wire(...pointer(0))],
    ["a pointer to the name's beginning", wire("a", ...pointer(0))],
    ["a pointer forward", wire(...pointer(2), "org", 0)],
    ["a pointer past the end", wire("org", 0, ...pointer(0x3fff))],
    ["two that point at each other", wire(0, ...pointer(3), ...pointer(1))],
    ["a pointer into the run before, which comes back", wire("a", "b", ...pointer(0), "c", ...pointer(2))],
    ["a label type that was never used", wire(0x80, 0)],
    ["an extended label type", wire(0x41, 0)],
    ["a name of 254 characters", wire(L63, L63, L63, "a".repeat(62), 0)],
    ["a name that a pointer makes too long", wire(L63, L63, L63, 0, L63, ...pointer(0))],
    ["a dot in a label", wire("a.b", 0)],
    ["a space", wire("a b", 0)],
    ["a line break", wire("a\nnameserver 192.0.2.66", 0)],
    ["a NUL", wire("a\0b", 0)],
    ["UTF-8", wire("gr\xc3\xb6\xc3\x9fe", 0)],
    ["an escape sequence", wire("\x1b[2J", 0)],
    ["one bad name of two", wire("org", 0, "a b", 0)],
    ["too many names", wire("org", 0, ...Array.from({ length: 64 }, () => pointer(0)).flat())],
    [
      "too many pointers",
      wire(
        "org",
        0,
        ...Array.from({ length: 17 }, (_, index) => pointer(index === 0 ? 0 : 3 + 2 * index)).flat(),
      ),
    ],
  ];
  for (const [what, bytes] of rows) assert.throws(() => decodeNames(bytes, true), WireError, what);
});

test("without pointers, a pointer is refused", () => {
  assert.throws(() => decodeNames(wire("org", 0, ...pointer(0)), false), WireError);
  assert.deepEqual(decodeNames(wire("org", 0, "com", 0), false), ["org", "com"]);
});

test("texts that are names, and texts that are none", () => {
  const rows: [text: string, is: boolean][] = [
    ["org", true],
    ["a.b-c._d.1", true],
    [`${L63}.org`, true],
    [`${L63}.${L63}.${L63}.${"a".repeat(61)}`, true],
    [`${L63}.${L63}.${L63}.${"a".repeat(62)}`, false],
    ["", false],
    [".", false],
    ["org.", false],
    [".org", false],
    ["a..b", false],
    [`${L63}a.org`, false],
    ["a b", false],
    ["a\n", false],
    ["a\nb", false],
    ["größe", false],
  ];
  for (const [text, is] of rows) assert.equal(isDomainName(text), is, JSON.stringify(text));
});

const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const name = fc.array(label, { minLength: 1, maxLength: 5 });

/** Each name points to the longest end that an earlier one has too. */
function compress(names: readonly string[][]): Uint8Array {
  const bytes: number[] = [];
  const places = new Map<string, number>();
  for (const labels of names) {
    let rest = labels;
    for (; rest.length > 0 && !places.has(rest.join(".")); rest = rest.slice(1)) {
      places.set(rest.join("."), bytes.length);
      bytes.push(...wire(rest[0]!));
    }
    bytes.push(...(rest.length > 0 ? pointer(places.get(rest.join("."))!) : [0]));
  }
  return Uint8Array.from(bytes);
}

test("names come back as they went, compressed or not", () => {
  fc.assert(
    fc.property(fc.array(name, { maxLength: 12 }), (names) => {
      const texts = names.map((labels) => labels.join("."));
      const plain = wire(...names.flatMap((labels) => [...labels, 0]));
      assert.deepEqual(decodeNames(plain, false), texts);
      assert.deepEqual(decodeNames(compress(names), true), texts);
    }),
  );
});

function assertFewSaneNames(bytes: Uint8Array): void {
  for (const pointers of [true, false]) {
    const names = decodedOrRefused(() => decodeNames(bytes, pointers)) ?? [];
    assert.ok(names.length <= 64);
    names.forEach(assertSaneName);
  }
}

test("any bytes give few and sane names, or are refused", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // Mostly labels and pointers.
    fc
      .array(fc.oneof(label, fc.constantFrom(0, 0xc0, 0xc1), fc.nat(40)), { maxLength: 60 })
      .map((parts) => wire(...parts)),
    damaged([compress([["a", "example", "org"], ["b", "example", "org"], ["b"], ["example", "org"]])]),
  );
  fc.assert(fc.property(bytes, assertFewSaneNames), { numRuns: 1000 });
});

test("the worst of 64 KB come to an end", () => {
  const chain = (first: number, back: number) => {
    const bytes = new Uint8Array(0xffff);
    for (let at = first; at + 2 <= bytes.length; at += 2) bytes.set(pointer(Math.min(at - back, 0x3ffe)), at);
    return bytes;
  };
  const rows: [what: string, bytes: Uint8Array][] = [
    ["each points to the one before", chain(2, 2)],
    [
      "all point to the root",
      chain(2, 0xffff).map((byte, at) => (at >= 2 && at % 2 === 0 ? 0xc0 : byte && 0)),
    ],
    ["one label after the other", new Uint8Array(0xffff).fill(1)],
    ["all zeros", new Uint8Array(0xffff)],
    ["all ones", new Uint8Array(0xffff).fill(0xff)],
    [
      "labels, each with a pointer back",
      Uint8Array.from({ length: 0xffff }, (_, at) => [1, 97, 0xc0, 0][at % 4]!),
    ],
  ];
  for (const [what, bytes] of rows) assert.doesNotThrow(() => assertFewSaneNames(bytes), what);
});
