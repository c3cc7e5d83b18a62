/** What stands in a packet's headers, in the words of `nft`. */
import type { Cidr } from "../../address/cidr.ts";
import type { MacAddress } from "../../address/mac.ts";
import { bitwise, type Expression, type Field, match, meta, payload } from "./expressions.ts";

const LINK_HEADER = 0;
const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;

const NFT_META_IIFNAME = 6;
const NFT_META_OIFNAME = 7;
const NFT_META_NFPROTO = 15;
const NFT_META_L4PROTO = 16;

const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;
const IFNAMSIZ = 16;

/** IPPROTO_* (linux/in.h) of the protocols that have ports. */
export const protocols = { tcp: 6, udp: 17, sctp: 132 } as const;

export type Protocol = keyof typeof protocols;
export type End = "saddr" | "daddr";
export type Port = "sport" | "dport";

export interface Not {
  readonly not?: boolean;
}

/** `meta nfproto`: needed before `matchIp` in tables of the families inet and bridge. */
export function matchFamily(family: 4 | 6): Expression {
  return match(meta(NFT_META_NFPROTO, 1), Uint8Array.of(family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6));
}

/** `ip saddr` and its like; the address of a single host is a network of full length. */
export function matchIp(
  end: End,
  { networkAddress, prefixLength, family }: Cidr,
  options: Not = {},
): Expression {
  const { bytes } = networkAddress;
  const { load, length } = ipAddress(end, family);
  if (prefixLength === 0 || prefixLength % 8 !== 0)
    return match({ load, length }, bytes, { ...options, mask: maskOf(prefixLength, length) });
  // Whole bytes need no mask: fewer are loaded. `nft` does the same.
  const whole = prefixLength / 8;
  return match(payload(NETWORK_HEADER, ipOffset(end, family), whole), bytes.subarray(0, whole), options);
}

/** `meta l4proto` */
export function matchProtocol(protocol: Protocol): Expression {
  return match(l4Protocol, Uint8Array.of(protocols[protocol]));
}

/** `th sport` and `th dport`: behind `matchProtocol`. */
export function matchPort(port: Port, number: number, options: Not = {}): Expression {
  return match(transportPort(port), portBytes(number), options);
}

/** `iifname`, `oifname`. A name that ends with * stands for all that begin so. */
export function matchInterface(
  direction: "iifname" | "oifname",
  name: string,
  options: Not = {},
): Expression {
  const value = interfaceBytes(name);
  return match(
    interfaceName(direction),
    name.endsWith("*") ? value.subarray(0, name.length - 1) : value,
    options,
  );
}

/** `ether saddr`, `ether daddr`: in tables of the families bridge and netdev. */
export function matchMac(end: End, { bytes }: MacAddress, options: Not = {}): Expression {
  return match(payload(LINK_HEADER, end === "daddr" ? 0 : 6, 6), bytes, options);
}

export const l4Protocol: Field = meta(NFT_META_L4PROTO, 1);

export function protocolBytes(protocol: Protocol): Uint8Array {
  return Uint8Array.of(protocols[protocol]);
}

export function ipAddress(end: End, family: 4 | 6): Field {
  return payload(NETWORK_HEADER, ipOffset(end, family), family === 4 ? 4 : 16);
}

/** `ip saddr & MASK`: the network that an address is in. */
export function ipNetwork(end: End, family: 4 | 6, prefixLength: number): Field {
  const { load, length } = ipAddress(end, family);
  if (prefixLength === length * 8) return { load, length };
  const mask = maskOf(prefixLength, length);
  return {
    length,
    load: (register) => (into) => {
      load(register)(into);
      bitwise(register, mask, new Uint8Array(length))(into);
    },
  };
}

export function transportPort(port: Port): Field {
  return payload(TRANSPORT_HEADER, port === "sport" ? 0 : 2, 2);
}

/** A port as it stands in packets and sets. */
export function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port);
}

/** An interface's name as it stands in sets: filled up with NULs. */
export function interfaceBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(IFNAMSIZ);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  return bytes;
}

export function interfaceName(direction: "iifname" | "oifname"): Field {
  return meta(direction === "iifname" ? NFT_META_IIFNAME : NFT_META_OIFNAME, IFNAMSIZ);
}

/** Offsets in struct iphdr and struct ipv6hdr. */
function ipOffset(end: End, family: 4 | 6): number {
  if (family === 4) return end === "saddr" ? 12 : 16;
  return end === "saddr" ? 8 : 24;
}

function maskOf(prefixLength: number, length: number): Uint8Array {
  return new Uint8Array(length).map(
    (_, index) => 0xff00 >> Math.min(8, Math.max(0, prefixLength - index * 8)),
  );
}
