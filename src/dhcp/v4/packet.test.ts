import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ip, parseIp } from "../../address/ip.ts";
import * as captures from "./captures.node.ts";
import { type Datagram, decodeUdp, encodeUdp } from "./packet.ts";

const ANYWHERE = parseIp("0.0.0.0")!;
const BROADCAST = parseIp("255.255.255.255")!;

const ip = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => new Ip(bytes));
const port = fc.nat(0xffff);
const datagrams: fc.Arbitrary<Datagram> = fc.record({
  source: ip,
  destination: ip,
  sourcePort: port,
  destinationPort: port,
  payload: fc.uint8Array({ maxLength: 70 }),
});

test("headers are those of RFC 791 and RFC 768", () => {
  const packet = encodeUdp({
    source: ANYWHERE,
    destination: BROADCAST,
    sourcePort: 68,
    destinationPort: 67,
    payload: Uint8Array.of(1, 2, 3),
  });
  const ipHeader = "45" + "00" + "001f" + "0000" + "4000" + "40" + "11" + "3acf" + "00000000" + "ffffffff";
  const udpHeader = "0044" + "0043" + "000b" + "fb4f";
  assert.equal(Buffer.from(packet).toString("hex"), `${ipHeader}${udpHeader}010203`);
});

test("a checksum that would be 0 is written as 0xffff, for 0 means that there is none", () => {
  const datagram = { source: ANYWHERE, destination: BROADCAST, sourcePort: 68, destinationPort: 67 };
  const packet = encodeUdp({ ...datagram, payload: Uint8Array.of(0xff, 0x53) });
  assert.deepEqual([...packet.subarray(26, 28)], [0xff, 0xff]);
  assert.ok(decodeUdp(packet));
});

test("what a socket received from real servers is read", () => {
  for (const [name, packet] of Object.entries(captures)) {
    const datagram = decodeUdp(packet)!;
    assert.ok(datagram, name);
    assert.deepEqual(
      [`${datagram.source}`, datagram.sourcePort, `${datagram.destination}`, datagram.destinationPort],
      ["192.0.2.1", 67, "255.255.255.255", 68],
    );
    // BOOTREPLY.
    assert.equal(datagram.payload[0], 2);
    assert.equal(datagram.payload.length, packet.length - 28);
  }
});

test("a datagram comes back as it went, also with a frame's padding behind it", () => {
  fc.assert(
    fc.property(datagrams, fc.uint8Array({ maxLength: 46 }), (datagram, padding) => {
      const packet = encodeUdp(datagram);
      const { source, destination, ...rest } = decodeUdp(Uint8Array.from([...packet, ...padding]))!;
      assert.ok(source.equals(datagram.source) && destination.equals(datagram.destination));
      const { sourcePort, destinationPort, payload } = datagram;
      assert.deepEqual(rest, { sourcePort, destinationPort, payload });
    }),
  );
});

/** `changes`: offset and value of bytes. The header's checksum is made right again. */
function changed(packet: Uint8Array, ...changes: [at: number, value: number][]): Uint8Array {
  const copy = packet.slice();
  for (const [at, value] of changes) copy[at] = value;
  copy.fill(0, 10, 12);
  let sum = 0;
  for (let at = 0; at < (copy[0]! & 15) * 4; at += 2) sum += (copy[at]! << 8) | (copy[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  copy.set([(~sum >> 8) & 0xff, ~sum & 0xff], 10);
  return copy;
}

test("UDP's checksum may be missing, or that of the pseudo header, but not wrong", () => {
  const whole = captures.KEA_ACK;
  // dnsmasq's are unfinished: see there.
  const unfinished = captures.DNSMASQ_ACK;
  const rows: [what: string, packet: Uint8Array, taken: boolean][] = [
    ["as it came", whole, true],
    ["none", changed(whole, [26, 0], [27, 0]), true],
    ["another", changed(whole, [27, whole[27]! ^ 1]), false],
    ["one byte changed", changed(whole, [300, whole[300]! ^ 1]), false],
    ["unfinished", unfinished, true],
    ["unfinished, another port: nobody counted it", changed(unfinished, [21, 66]), true],
    ["unfinished, another source", changed(unfinished, [15, 2]), false],
  ];
  for (const [what, packet, taken] of rows) assert.equal(decodeUdp(packet) !== undefined, taken, what);
});

test("what is no whole UDP packet over IPv4 is not taken", () => {
  const packet = encodeUdp({
    source: parseIp("192.0.2.1")!,
    destination: BROADCAST,
    sourcePort: 67,
    destinationPort: 68,
    payload: new Uint8Array(8),
  });
  assert.ok(decodeUdp(changed(packet)));
  const badSum = packet.slice();
  badSum[8] = 63;
  const rows: [what: string, packet: Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["half a header", packet.slice(0, 19)],
    ["no UDP header", packet.slice(0, 27)],
    ["one byte less than it says", packet.slice(0, -1)],
    ["IPv6", changed(packet, [0, 0x65])],
    ["a header of 16 bytes", changed(packet, [0, 0x44])],
    ["a header longer than all", changed(packet, [0, 0x4f])],
    ["TCP", changed(packet, [9, 6])],
    ["more fragments", changed(packet, [6, 0x20])],
    ["a later fragment", changed(packet, [7, 1])],
    ["the header's checksum", badSum],
    ["longer than it is", changed(packet, [3, packet.length + 1])],
    ["shorter than its headers", changed(packet, [3, 27])],
    ["UDP longer than IP", changed(packet, [25, 17], [26, 0], [27, 0])],
    ["UDP shorter than its header", changed(packet, [25, 7], [26, 0], [27, 0])],
  ];
  for (const [what, bytes] of rows) assert.equal(decodeUdp(bytes), undefined, what);
});

test("options of IPv4 are skipped", () => {
  const packet = encodeUdp({
    source: parseIp("192.0.2.1")!,
    destination: BROADCAST,
    sourcePort: 67,
    destinationPort: 68,
    payload: Uint8Array.of(7),
  });
  const longer = Uint8Array.from([...packet.subarray(0, 20), 1, 1, 1, 0, ...packet.subarray(20)]);
  assert.deepEqual(decodeUdp(changed(longer, [0, 0x46], [3, longer.length]))?.payload, Uint8Array.of(7));
});
