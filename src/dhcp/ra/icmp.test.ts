import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { decodeIcmp, encodeIcmp, type IcmpPacket } from "./icmp.ts";

const source = parseIp("fe80::1")!;
const destination = parseIp("ff02::2")!;
/** A router solicitation; the checksum was computed by hand (RFC 4443, section 2.3). */
const packet = encodeIcmp({ source, destination, icmp: new Uint8Array([133, 0, 9, 9, 0, 0, 0, 0]) });

it("a packet is written with its checksum", () => {
  const words = [0xfe80, 1, 0xff02, 2, 8, 58, 133 << 8];
  const sum = words.reduce((total, word) => total + word, 0);
  const checksum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  assert.deepEqual(
    packet,
    Uint8Array.from([
      ...[0x60, 0, 0, 0, 0, 8, 58, 255, ...source.bytes, ...destination.bytes],
      ...[133, 0, checksum >> 8, checksum & 0xff, 0, 0, 0, 0],
    ]),
  );
});

it("what was written is read, with padding of the link behind it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4 }), fc.nat(40), (icmp, padding) => {
      const written = encodeIcmp({ source, destination, icmp });
      const read = decodeIcmp(Uint8Array.from([...written, ...new Array<number>(padding).fill(7)]));
      const without = (message: Uint8Array) => message.filter((_, index) => index !== 2 && index !== 3);
      assert.ok(read);
      assert.ok(read.source.equals(source) && read.destination.equals(destination));
      assert.deepEqual(without(read.icmp), without(icmp));
    }),
  );
});

const changed = (at: number, byte: number) => packet.with(at, byte);
const refused: [what: string, bytes: Uint8Array][] = [
  ["nothing", new Uint8Array()],
  ["less than a header", packet.subarray(0, 39)],
  ["less than it says", packet.subarray(0, 47)],
  ["IPv4", changed(0, 0x45)],
  ["UDP", changed(6, 17)],
  ["a packet that was forwarded", changed(7, 254)],
  ["a damaged packet", changed(45, 1)],
  ["a packet with another sender", changed(23, 2)],
  ["a message without header", changed(5, 3)],
];
for (const [what, bytes] of refused)
  it(`${what} is no packet of the link`, () =>
    assert.equal(decodeIcmp(bytes) satisfies IcmpPacket | undefined, undefined));
