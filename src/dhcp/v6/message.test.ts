import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { FakeSystem } from "../../host/fake.ts";
import { WireError } from "../../netlink/codec.ts";
import { damaged, decodedOrRefused } from "../malformed.node.ts";
import { decodeAssociation, describeStatus, encodeAssociation } from "./association.ts";
import * as captures from "./captures.node.ts";
import { identityOf } from "./duid.ts";
import { decodeMessage, encodeMessage, type Message, MessageType, Option, optionOf } from "./message.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

test("a message in bytes", () => {
  const message: Message = {
    type: MessageType.Solicit,
    transactionId: 0x123456,
    options: [
      [Option.ClientId, bytes(0, 4, 9)],
      [Option.RapidCommit, bytes()],
    ],
  };
  assert.deepEqual(encodeMessage(message), bytes(1, 0x12, 0x34, 0x56, 0, 1, 0, 3, 0, 4, 9, 0, 14, 0, 0));
});

test("messages are read as they were written", () => {
  const option = fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 40 }));
  const messages = fc.record(
    {
      type: fc.nat(255),
      transactionId: fc.nat(0xffffff),
      options: fc.array(option, { maxLength: 20 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(messages, (message) => assert.deepEqual(decodeMessage(encodeMessage(message)), message)),
  );
});

test("messages of real servers are read", () => {
  const rows: [Uint8Array, type: number, transactionId: number, codes: number[]][] = [
    [captures.DNSMASQ_REPLY, MessageType.Reply, 0x13f6ad, [1, 2, 14, 3, 13, 7, 24, 23]],
    [captures.DNSMASQ_INFORMATION, MessageType.Reply, 0x88a79a, [1, 2, 24, 23, 32]],
    [captures.KEA_ADVERTISE, MessageType.Advertise, 0xa50331, [1, 2, 3, 23, 24]],
  ];
  for (const [captured, type, transactionId, codes] of rows) {
    const message = decodeMessage(captured);
    assert.equal(message.type, type);
    assert.equal(message.transactionId, transactionId);
    assert.deepEqual(
      message.options.map(([code]) => code),
      codes,
    );
    assert.deepEqual(encodeMessage(message), captured);
  }
});

test("what is no message is refused", () => {
  const rows: Uint8Array[] = [
    bytes(),
    bytes(1, 2, 3),
    // An option without a length, and one that is longer than the message.
    bytes(7, 0, 0, 0, 0, 1),
    bytes(7, 0, 0, 0, 0, 1, 0),
    bytes(7, 0, 0, 0, 0, 1, 0, 4, 1, 2, 3),
    bytes(7, 0, 0, 0, 0, 1, 0xff, 0xff),
  ];
  for (const row of rows) assert.throws(() => decodeMessage(row), WireError, `${row}`);
});

test("of an option that comes twice, the first counts", () => {
  const options = [
    [7, bytes(1)],
    [7, bytes(2)],
  ] as const;
  assert.deepEqual(optionOf(options, 7), bytes(1));
  assert.equal(optionOf(options, 8), undefined);
});

test("an association in bytes", () => {
  assert.deepEqual(encodeAssociation(0x01020304), bytes(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0));
  const ip = parseIp("fd00::1")!;
  const withAddress = encodeAssociation(1, ip);
  assert.deepEqual(withAddress.slice(12), bytes(0, 5, 0, 24, ...ip.bytes, 0, 0, 0, 0, 0, 0, 0, 0));
});

test("associations of real servers are read", () => {
  const association = (captured: Uint8Array) =>
    decodeAssociation(optionOf(decodeMessage(captured).options, Option.Association)!);
  const { iaid, t1, t2, addresses, status } = association(captures.KEA_CHANGES);
  assert.deepEqual([iaid, t1, t2, status.code], [captures.CLIENT.iaid, 250, 400, 0]);
  assert.deepEqual(
    addresses.map(({ ip, preferred, valid }) => `${ip} ${preferred} ${valid}`),
    ["fd00:1::500 500 600", "fd00:1::100 0 0"],
  );
  assert.equal(association(captures.DNSMASQ_TAKES_BACK).t1, Number.POSITIVE_INFINITY);
});

test("a status in words, without what could break a line", () => {
  const rows: [code: number, text: string, words: string][] = [
    [2, "", "NoAddrsAvail"],
    [3, "gone", 'NoBinding ("gone")'],
    [99, "?", 'status 99 ("?")'],
  ];
  for (const [code, text, words] of rows) assert.equal(describeStatus({ code, text }), words);
  const status = [...new TextEncoder().encode("a\nb\x1b[31m")];
  const value = encodeMessage({
    type: 0,
    transactionId: 0,
    options: [[Option.StatusCode, bytes(0, 1, ...status)]],
  }).slice(4);
  const association = decodeAssociation(bytes(...encodeAssociation(1), ...value));
  assert.deepEqual(association.status, { code: 1, text: "a?b?[31m" });
});

test("damaged messages are read or refused, and nothing else", () => {
  const { CLIENT: _, ...messages } = captures;
  fc.assert(
    fc.property(damaged(Object.values(messages)), (message) => {
      const read = decodedOrRefused(() => decodeMessage(message));
      for (const [code, value] of read?.options ?? [])
        if (code === Option.Association) decodedOrRefused(() => decodeAssociation(value));
    }),
    { numRuns: 2000 },
  );
});

test("the identity is a DUID-UUID of the attachment's name, and the same each time", () => {
  const { host } = new FakeSystem();
  const id = { containerId: "c1", network: "office", ifName: "eth0" };
  const { duid, iaid } = identityOf(host, id);
  assert.deepEqual([...duid.subarray(0, 2)], [0, 4]);
  assert.equal(duid.length, 18);
  // RFC 9562, sections 4.1 and 4.2: variant and version.
  assert.equal(duid[2 + 8]! >> 6, 0b10);
  assert.equal(duid[2 + 6]! >> 4, 8);
  assert.ok(iaid >= 0 && iaid < 2 ** 32);
  assert.deepEqual(identityOf(host, { ...id }), { duid, iaid });
  for (const change of [{ containerId: "c2" }, { network: "lab" }, { ifName: "eth1" }])
    assert.notDeepEqual(identityOf(host, { ...id, ...change }).duid, duid);
});
