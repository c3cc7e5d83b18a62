import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ip, parseIp } from "../../address/ip.ts";
import { parseMac } from "../../address/mac.ts";
import { WireError } from "../../netlink/codec.ts";
import { DNSMASQ_OVERLOADED_ACK, KEA_ACK } from "./captures.node.ts";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";
import { decodeUdp } from "./packet.ts";

const NONE = parseIp("0.0.0.0")!;

const DISCOVER: Message = {
  op: 1,
  xid: 0x3903f326,
  secs: 5,
  broadcast: true,
  ciaddr: NONE,
  yiaddr: NONE,
  siaddr: NONE,
  giaddr: NONE,
  chaddr: parseMac("02:00:5e:00:53:01")!.bytes,
  options: new Map([
    [53, Uint8Array.of(1)],
    [55, Uint8Array.of(1, 3)],
  ]),
};

/** Where the fields begin (RFC 2131, figure 1). */
const [SNAME, FILE, COOKIE, OPTIONS] = [44, 108, 236, 240];

/** A message with these bytes instead of its options, file and sname. */
function withFields(options: number[], file: number[] = [], sname: number[] = []): Uint8Array {
  const bytes = new Uint8Array(OPTIONS + options.length);
  bytes.set(encodeMessage(DISCOVER).subarray(0, OPTIONS));
  bytes.set(sname, SNAME);
  bytes.set(file, FILE);
  bytes.set(options, OPTIONS);
  return bytes;
}

function optionsOf(bytes: Uint8Array): [number, number[]][] {
  return Array.from(decodeMessage(bytes).options, ([code, value]) => [code, [...value]]);
}

test("the fields stand where RFC 2131, figure 1 has them", () => {
  const parts = [
    ["01010600", "3903f326", "00058000", "00".repeat(16), "02005e005301", "00".repeat(10 + 64 + 128)],
    ["63825363", "350101", "37020103", "ff"],
  ];
  const expected = parts.flat().join("").padEnd(600, "0");
  assert.equal(Buffer.from(encodeMessage(DISCOVER)).toString("hex"), expected);
});

test("an answer of a real server", () => {
  const { ciaddr, yiaddr, siaddr, giaddr, options, ...rest } = decodeMessage(decodeUdp(KEA_ACK)!.payload);
  assert.deepEqual(rest, { op: 2, xid: 0x5eed0001, secs: 0, broadcast: true, chaddr: DISCOVER.chaddr });
  assert.deepEqual([ciaddr, yiaddr, siaddr, giaddr].map(String), [
    "0.0.0.0",
    "192.0.2.50",
    "0.0.0.0",
    "0.0.0.0",
  ]);
  assert.deepEqual([...options.keys()], [53, 1, 3, 6, 15, 51, 54, 58, 59, 61, 119, 121]);
  assert.equal(Buffer.from(options.get(15)!).toString(), "office.example");
});

test("an answer of a real server that has options in the field file too", () => {
  const { options } = decodeMessage(decodeUdp(DNSMASQ_OVERLOADED_ACK)!.payload);
  assert.equal(Buffer.from(options.get(15)!).toString(), "office.example");
  assert.match(Buffer.from(options.get(17)!).toString(), /^a-root-path-.*-message$/);
  assert.equal(options.get(119)!.length, 46);
  assert.ok(!options.has(52));
});

const MAX = Array.from({ length: 255 }, (_, index) => index);

test("options are put together as RFC 3396 and RFC 2132, section 9.3 say", () => {
  const rows: [what: string, bytes: Uint8Array, options: [number, number[]][]][] = [
    ["none", withFields([255]), []],
    ["no end", withFields([53, 1, 2]), [[53, [2]]]],
    ["nothing at all", withFields([]), []],
    ["pads between", withFields([0, 0, 53, 1, 2, 0, 255]), [[53, [2]]]],
    ["nothing counts behind the end", withFields([53, 1, 2, 255, 53, 1, 5, 9]), [[53, [2]]]],
    ["an empty one", withFields([80, 0, 255]), [[80, []]]],
    [
      "in parts",
      withFields([6, 4, 1, 2, 3, 4, 53, 1, 2, 6, 4, 5, 6, 7, 8, 255]),
      [
        [6, [1, 2, 3, 4, 5, 6, 7, 8]],
        [53, [2]],
      ],
    ],
    ["a long one in parts", withFields([6, 255, ...MAX, 6, 2, 7, 8, 255]), [[6, [...MAX, 7, 8]]]],
    ["an empty part", withFields([6, 0, 6, 1, 9, 6, 0]), [[6, [9]]]],
    ["file is no options unless said so", withFields([53, 1, 2, 255], [6, 1, 9]), [[53, [2]]]],
    ["file", withFields([52, 1, 1, 255], [6, 1, 9, 255], [6, 1, 8]), [[6, [9]]]],
    ["sname", withFields([52, 1, 2, 255], [6, 1, 9], [6, 1, 8, 255]), [[6, [8]]]],
    [
      "options, then file, then sname",
      withFields([6, 1, 1, 52, 1, 3], [6, 1, 2], [6, 1, 3]),
      [[6, [1, 2, 3]]],
    ],
    ["an overload within file", withFields([52, 1, 1], [52, 1, 2, 6, 1, 9], [6, 1, 8]), [[6, [9]]]],
  ];
  for (const [what, bytes, options] of rows) assert.deepEqual(optionsOf(bytes), options, what);
});

test("what is no DHCP message for Ethernet, or has damaged options, is refused", () => {
  const changed = (at: number, value: number) => {
    const bytes = encodeMessage(DISCOVER);
    bytes[at] = value;
    return bytes;
  };
  const rows: [what: string, bytes: Uint8Array][] = [
    ["neither request nor reply", changed(0, 3)],
    ["another hardware", changed(1, 32)],
    ["a longer address", changed(2, 16)],
    ["no address", changed(2, 0)],
    ["no cookie: BOOTP", changed(COOKIE, 0)],
    ["an option without length", withFields([53])],
    ["an option longer than the rest", withFields([53, 2, 1])],
    ["a second part longer than the rest", withFields([6, 1, 1, 6, 255, 1, 2])],
    ["an option that leaves file", withFields([52, 1, 1], [...Array.from({ length: 126 }, () => 0), 6, 1])],
    ["an option that leaves sname", withFields([52, 1, 2], [], [6, 63])],
    ["an overload of 0", withFields([52, 1, 0])],
    ["an overload of 4", withFields([52, 1, 4])],
    ["an overload of no bytes", withFields([52, 0])],
    ["two overloads", withFields([52, 1, 1, 52, 1, 2])],
  ];
  for (const [what, bytes] of rows) assert.throws(() => decodeMessage(bytes), WireError, what);
});

test("a message that ends before its options is refused, wherever it ends", () => {
  const bytes = encodeMessage(DISCOVER);
  for (let length = 0; length < OPTIONS; length++)
    assert.throws(() => decodeMessage(bytes.subarray(0, length)), WireError, `${length} bytes`);
});

test("what was decoded stays when the packet's memory is used again", () => {
  const bytes = encodeMessage(DISCOVER);
  const message = decodeMessage(bytes);
  bytes.fill(0xee);
  assert.deepEqual(message, DISCOVER);
});

const ip = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => new Ip(bytes));
const code = fc.integer({ min: 1, max: 254 }).filter((number) => number !== 52);
const value = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  fc.uint8Array({ maxLength: 600 }),
);
const messages: fc.Arbitrary<Message> = fc.record(
  {
    op: fc.constantFrom(1 as const, 2 as const),
    xid: fc.nat(0xffffffff),
    secs: fc.nat(0xffff),
    broadcast: fc.boolean(),
    ciaddr: ip,
    yiaddr: ip,
    siaddr: ip,
    giaddr: ip,
    chaddr: fc.uint8Array({ minLength: 6, maxLength: 6 }),
    options: fc.array(fc.tuple(code, value), { maxLength: 12 }).map((options) => new Map(options)),
  },
  { noNullPrototype: true },
);

test("messages come back as they went, and are never shorter than BOOTP's", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const bytes = encodeMessage(message);
      assert.ok(bytes.length >= 300);
      const decoded = decodeMessage(bytes);
      assert.deepEqual(decoded, message);
      assert.deepEqual([...decoded.options.keys()], [...message.options.keys()]);
    }),
  );
});
