import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ip, parseIp } from "./ip.ts";

const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => new Ip(bytes));
const v6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .filter((groups) => groups[5] !== 0xffff || groups.slice(0, 5).some((group) => group !== 0))
  .map((groups) => new Ip(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))));
const anyIp = fc.oneof(v4, v6);

test("addresses are read and written in canonical form", () => {
  const rows: [text: string, canonical: string][] = [
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["10.0.200.7", "10.0.200.7"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    // RFC 5952 section 4.1: no leading zeros.
    ["2001:0db8::0001", "2001:db8::1"],
    // 4.2.1: "::" takes as much as it can.
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    // 4.2.2: one zero group is not shortened.
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    // 4.2.3: the longest run, the first of equals.
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    // 4.3: lower case.
    ["2001:DB8::ABCD", "2001:db8::abcd"],
    ["fe80:0:0:0:1:2:3:0", "fe80::1:2:3:0"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
  ];
  for (const [text, canonical] of rows) assert.equal(parseIp(text)?.toString(), canonical, text);
});

test("an IPv4-mapped address is IPv4", () => {
  for (const text of ["::ffff:10.1.2.3", "::FFFF:a01:203", "0:0:0:0:0:ffff:10.1.2.3"]) {
    const ip = parseIp(text);
    assert.equal(ip?.toString(), "10.1.2.3", text);
    assert.equal(ip?.family, 4, text);
  }
  assert.equal(parseIp("::fffe:10.1.2.3")?.family, 6);
  assert.equal(parseIp("1::ffff:10.1.2.3")?.family, 6);
});

test("what is no address is refused", () => {
  const texts = [
    ...[
      "",
      " ",
      "1",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "1.2.3.-4",
      "1.2.3.+4",
      "1.2.3.4 ",
      "1.2.3.",
      "1..2.3",
      "a.b.c.d",
    ],
    // Leading zeros: ten or eight?
    ...["010.1.2.3", "1.2.3.04", "1.2.3.00", "1.2.3.0x4"],
    ...[
      ":",
      ":::",
      "1:",
      ":1",
      "1:2",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4::5:6:7:8",
      "12345::",
      "g::",
      "::-1",
    ],
    ...["fe80::1%eth0", "::1/128", "[::1]", "1.2.3.4::", "::1.2.3.4:5", "::1.2.3", "::01.2.3.4"],
  ];
  for (const text of texts) assert.equal(parseIp(text), undefined, JSON.stringify(text));
});

test("reading what was written gives the same address", () => {
  fc.assert(fc.property(anyIp, (ip) => parseIp(ip.toString())!.equals(ip)));
});

test("two zero groups or more are shortened, once", () => {
  fc.assert(
    fc.property(v6, (ip) => {
      const groups = Array.from({ length: 8 }, (_, i) => (ip.bytes[2 * i]! << 8) | ip.bytes[2 * i + 1]!);
      const long = groups.map((group) => group.toString(16)).join(":");
      const text = ip.toString();
      assert.equal(text.split("::").length - 1, /\b0:0\b/.test(long) ? 1 : 0, `${long} as ${text}`);
      if (!text.includes("::")) assert.equal(text, long);
    }),
  );
});

test("arithmetic carries and borrows across bytes", () => {
  const rows: [from: string, count: number, to: string][] = [
    ["10.0.0.255", 1, "10.0.1.0"],
    ["10.0.1.0", -1, "10.0.0.255"],
    ["10.255.255.255", 1, "11.0.0.0"],
    ["10.0.0.0", 65536, "10.1.0.0"],
    ["10.1.2.3", 0, "10.1.2.3"],
    ["10.1.2.3", -65536 - 256, "10.0.1.3"],
    ["255.255.255.255", 1, "0.0.0.0"],
    ["0.0.0.0", -1, "255.255.255.255"],
    ["fd00::ffff:ffff", 1, "fd00::1:0:0"],
    ["fd00::1:0:0", -1, "fd00::ffff:ffff"],
    ["fd00::", 2 ** 40 + 1, "fd00::100:0:1"],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, "::"],
  ];
  for (const [from, count, to] of rows)
    assert.equal(parseIp(from)!.plus(count).toString(), to, `${from} + ${count}`);
});

test("arithmetic agrees with that of big integers, and leaves the operand alone", () => {
  const value = (ip: Ip) => ip.bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  fc.assert(
    fc.property(anyIp, fc.maxSafeInteger(), (ip, count) => {
      const before = ip.toString();
      const expected = BigInt.asUintN(ip.bytes.length * 8, value(ip) + BigInt(count));
      assert.equal(value(ip.plus(count)), expected);
      assert.equal(ip.toString(), before);
    }),
  );
});

test("addresses are ordered by value, IPv4 before IPv6", () => {
  const sorted = ["0.0.0.1", "9.255.255.255", "10.0.0.0", "255.0.0.0", "::", "::1", "fd00::"];
  const shuffled = [...sorted].reverse().map((text) => parseIp(text)!);
  assert.deepEqual(shuffled.sort((a, b) => a.compare(b)).map(String), sorted);
  fc.assert(fc.property(anyIp, anyIp, (a, b) => Math.sign(a.compare(b)) === -Math.sign(b.compare(a))));
  fc.assert(fc.property(anyIp, anyIp, (a, b) => a.equals(b) === (a.toString() === b.toString())));
});

test("an address becomes its text in JSON", () => {
  assert.equal(JSON.stringify({ ip: parseIp("2001:DB8::1") }), '{"ip":"2001:db8::1"}');
});
