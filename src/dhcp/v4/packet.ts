import { Ip } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import { addWords, fold } from "../checksum.ts";

const IP_HEADER = 20;
const UDP_HEADER = 8;
/** Where the checksums stand in the headers. */
const IP_CHECKSUM = 10;
const UDP_CHECKSUM = 6;
const VERSION_4 = 4;
const DONT_FRAGMENT = 0x4000;
/** The flag "more fragments", and the offset of this one. */
const FRAGMENT = 0x3fff;
const TTL = 64;
const IPPROTO_UDP = 17;

/** What one UDP packet over IPv4 carries, and from where to where. */
export interface Datagram {
  readonly source: Ip;
  readonly destination: Ip;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** An IPv4 packet (RFC 791) with UDP in it (RFC 768). */
export function encodeUdp(datagram: Datagram): Uint8Array {
  const { source, destination, sourcePort, destinationPort, payload } = datagram;
  const udpLength = UDP_HEADER + payload.length;
  const length = IP_HEADER + udpLength;
  const writer = new Writer(length)
    .u8((VERSION_4 << 4) | (IP_HEADER / 4))
    .u8(0)
    .be16(length);
  writer.be16(0).be16(DONT_FRAGMENT).u8(TTL).u8(IPPROTO_UDP).be16(0).raw(source.bytes).raw(destination.bytes);
  writer.be16(sourcePort).be16(destinationPort).be16(udpLength).be16(0).raw(payload);
  const packet = writer.finish();
  const udpSum = addWords(packet.subarray(IP_HEADER), pseudoSum(source, destination, udpLength));
  putChecksum(packet, IP_CHECKSUM, addWords(packet.subarray(0, IP_HEADER)));
  putChecksum(packet, IP_HEADER + UDP_CHECKSUM, udpSum);
  return packet;
}

/** Undefined if it is no such packet, a fragment, or damaged. */
export function decodeUdp(packet: Uint8Array): Datagram | undefined {
  if (packet.length < IP_HEADER) return undefined;
  const headerLength = (packet[0]! & 0x0f) * 4;
  const length = be16(packet, 2);
  if (packet[0]! >> 4 !== VERSION_4 || packet[9] !== IPPROTO_UDP || be16(packet, 6) & FRAGMENT)
    return undefined;
  if (headerLength < IP_HEADER || length < headerLength + UDP_HEADER || length > packet.length)
    return undefined;
  if (fold(addWords(packet.subarray(0, headerLength))) !== 0xffff) return undefined;

  // What is behind it is the padding of a short Ethernet frame.
  const udp = packet.subarray(headerLength, length);
  const udpLength = be16(udp, 4);
  if (udpLength < UDP_HEADER || udpLength > udp.length) return undefined;
  const source = new Ip(packet.slice(12, 16));
  const destination = new Ip(packet.slice(16, 20));
  const pseudo = pseudoSum(source, destination, udpLength);
  if (!isWhole(udp.subarray(0, udpLength), pseudo)) return undefined;
  return {
    source,
    destination,
    sourcePort: be16(udp, 0),
    destinationPort: be16(udp, 2),
    payload: udp.subarray(UDP_HEADER, udpLength),
  };
}

/** A packet that never left this machine may carry the sum of the pseudo header alone (CHECKSUM_PARTIAL). */
function isWhole(udp: Uint8Array, pseudo: number): boolean {
  const checksum = be16(udp, UDP_CHECKSUM);
  return checksum === 0 || checksum === fold(pseudo) || fold(addWords(udp, pseudo)) === 0xffff;
}

/** The sum of the header that UDP's checksum counts though nobody sends it. */
function pseudoSum(source: Ip, destination: Ip, udpLength: number): number {
  return addWords(source.bytes) + addWords(destination.bytes) + IPPROTO_UDP + udpLength;
}

/** Never 0, which would say of UDP that there is no checksum; in ones' complement the other zero is the same. */
function putChecksum(packet: Uint8Array, at: number, sum: number): void {
  const checksum = ~fold(sum) & 0xffff || 0xffff;
  packet[at] = checksum >> 8;
  packet[at + 1] = checksum & 0xff;
}

function be16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
