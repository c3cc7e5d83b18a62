import type { Cidr } from "../../address/cidr.ts";
import type { Ip } from "../../address/ip.ts";

/** Whether a host may have this address: it is not "this host", loopback, multicast or broadcast. */
export function isHost({ bytes }: Ip): boolean {
  const first = bytes[0]!;
  const multicast = first >= 224 && first < 240;
  return first !== 0 && first !== 127 && !multicast && !bytes.every((byte) => byte === 255);
}

/** Whether an address means all hosts of a network. */
export function isBroadcast(ip: Ip, network: Cidr): boolean {
  return network.prefixLength < 31 && ip.equals(network.lastAddress);
}

/** The prefix length before there were masks (RFC 791, section 2.3): 8, 16 or 24; where there are no classes, 32. */
export function classOf({ bytes }: Ip): number {
  const first = bytes[0]!;
  if (first < 128) return 8;
  if (first < 192) return 16;
  return first < 224 ? 24 : 32;
}
