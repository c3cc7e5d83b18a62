import { parseIp } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";

/** Router advertisements as routers write them, for tests. Lifetimes in seconds. */

export const MANAGED = 0x80;
export const OTHER = 0x40;
/** The preference of a router or a route. */
export const HIGH = 0x08;
export const LOW = 0x18;
export const ON_LINK = 0x80;
export const AUTONOMOUS = 0x40;
export const FOREVER = 0xffffffff;

type Bytes = Uint8Array | readonly number[];

export function bytes(...parts: Bytes[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function advertisement(
  { flags = 0, lifetime = 1800 }: { flags?: number; lifetime?: number },
  ...options: Bytes[]
): Uint8Array {
  const header = new Writer().u8(134).u8(0).u16(0).u8(64).u8(flags).be16(lifetime).be32(0).be32(0);
  return bytes(header.finish(), ...options);
}

export function prefix(
  text: string,
  valid: number,
  flags = ON_LINK | AUTONOMOUS,
  preferred = valid,
): Uint8Array {
  const [address = "", length] = text.split("/");
  return bytes([3, 4, Number(length), flags], be32(valid), be32(preferred), [0, 0, 0, 0], ip(address));
}

/** `units`: its length as the option tells it. */
export function route(text: string, lifetime: number, flags = 0, units = 3): Uint8Array {
  const [address = "", length] = text.split("/");
  return bytes([24, units, Number(length), flags], be32(lifetime), ip(address).subarray(0, (units - 1) * 8));
}

export function nameservers(lifetime: number, ...addresses: string[]): Uint8Array {
  return bytes([25, 1 + addresses.length * 2, 0, 0], be32(lifetime), ...addresses.map(ip));
}

/** `wire`: names as they are written, each byte a character. */
export function domains(lifetime: number, wire: string): Uint8Array {
  const names = [...wire].map((char) => char.charCodeAt(0));
  const padding = new Uint8Array((8 - (names.length % 8)) % 8);
  return bytes([31, 1 + (names.length + padding.length) / 8, 0, 0], be32(lifetime), names, padding);
}

export function mtu(value: number): Uint8Array {
  return bytes([5, 1, 0, 0], be32(value));
}

function be32(value: number): Uint8Array {
  return new Writer(4).be32(value).finish();
}

function ip(text: string): Uint8Array {
  return parseIp(text)!.bytes;
}
