import { Ip } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import { addWords, fold } from "../checksum.ts";

/** ICMPv6 messages in IPv6 packets (RFC 4443, RFC 8200), as they are on a link: no router has seen them. */

const IPV6_HEADER = 40;
const VERSION_6 = 6;
export const IPPROTO_ICMPV6 = 58;
/** What comes from another link has passed a router, and has less (RFC 4861, section 6.1). */
export const HOP_LIMIT = 255;
const CHECKSUM = 2;
const SMALLEST = 4;

export interface IcmpPacket {
  readonly source: Ip;
  readonly destination: Ip;
  /** The ICMPv6 message. Its checksum does not matter. */
  readonly icmp: Uint8Array;
}

export function encodeIcmp({ source, destination, icmp }: IcmpPacket): Uint8Array {
  const packet = new Writer(IPV6_HEADER + icmp.length)
    .be32(VERSION_6 << 28)
    .be16(icmp.length)
    .u8(IPPROTO_ICMPV6)
    .u8(HOP_LIMIT)
    .raw(source.bytes)
    .raw(destination.bytes)
    .raw(icmp)
    .finish();
  const at = IPV6_HEADER + CHECKSUM;
  packet.fill(0, at, at + 2);
  const checksum = ~checkedSum(packet) & 0xffff;
  packet[at] = checksum >> 8;
  packet[at + 1] = checksum;
  return packet;
}

/** Undefined if it is none, is damaged, or comes from beyond the link. */
export function decodeIcmp(bytes: Uint8Array): IcmpPacket | undefined {
  if (bytes.length < IPV6_HEADER || bytes[0]! >> 4 !== VERSION_6) return undefined;
  if (bytes[6] !== IPPROTO_ICMPV6 || bytes[7] !== HOP_LIMIT) return undefined;
  const length = (bytes[4]! << 8) | bytes[5]!;
  if (length < SMALLEST || length > bytes.length - IPV6_HEADER) return undefined;
  // What is behind it is padding of the link's.
  const packet = bytes.subarray(0, IPV6_HEADER + length);
  if (checkedSum(packet) !== 0xffff) return undefined;
  return {
    source: new Ip(packet.slice(8, 24)),
    destination: new Ip(packet.slice(24, 40)),
    icmp: packet.subarray(IPV6_HEADER),
  };
}

/** Over addresses, length, protocol and message (RFC 8200, section 8.1). */
function checkedSum(packet: Uint8Array): number {
  return fold(addWords(packet.subarray(8), packet.length - IPV6_HEADER + IPPROTO_ICMPV6));
}
