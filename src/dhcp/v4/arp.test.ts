import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { parseMac } from "../../address/mac.ts";
import { decodeArp, encodeArpProbe } from "./arp.ts";

const { bytes: MAC } = parseMac("02:00:5e:00:53:01")!;
const hex = (digits: string) => Uint8Array.from(Buffer.from(digits, "hex"));

test("a probe asks for an address, and names none as the sender's (RFC 5227, section 2.1.1)", () => {
  assert.equal(
    Buffer.from(encodeArpProbe(MAC, parseIp("192.0.2.50")!)).toString("hex"),
    "0001" + "0800" + "06" + "04" + "0001" + "02005e005301" + "00000000" + "000000000000" + "c0000232",
  );
});

test("an answer, with the padding of its frame", () => {
  const answer = hex(
    `00010800060400020200 5e0053ff c0000232 02005e005301 00000000 ${"00".repeat(18)}`.replaceAll(" ", ""),
  );
  const { senderIp, targetIp, ...rest } = decodeArp(answer)!;
  assert.deepEqual(rest, { operation: 2, senderMac: hex("02005e0053ff") });
  assert.deepEqual([`${senderIp}`, `${targetIp}`], ["192.0.2.50", "0.0.0.0"]);
});

test("a probe of another host for the same address is read as such", () => {
  const { operation, senderMac, senderIp, targetIp } = decodeArp(
    encodeArpProbe(MAC, parseIp("192.0.2.50")!),
  )!;
  assert.deepEqual([operation, senderMac, `${senderIp}`, `${targetIp}`], [1, MAC, "0.0.0.0", "192.0.2.50"]);
});

test("what is no ARP for IPv4 on Ethernet is not read", () => {
  const probe = encodeArpProbe(MAC, parseIp("192.0.2.50")!);
  for (let length = 0; length < probe.length; length++)
    assert.equal(decodeArp(probe.slice(0, length)), undefined);
  const rows: [what: string, at: number, value: number][] = [
    ["hardware", 1, 6],
    ["protocol", 2, 0x86],
    ["hardware address's size", 4, 8],
    ["protocol address's size", 5, 16],
  ];
  for (const [what, at, value] of rows) {
    const other = probe.slice();
    other[at] = value;
    assert.equal(decodeArp(other), undefined, what);
  }
});

test("any bytes are read or not, and never fail", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const arp = decodeArp(Uint8Array.from([0, 1, 8, 0, 6, 4, ...bytes]));
      assert.equal(arp !== undefined, bytes.length >= 22);
    }),
  );
});
