import fc from "fast-check";
import { Cidr } from "../src/address/cidr.ts";
import { Ip } from "../src/address/ip.ts";
import { MacAddress } from "../src/address/mac.ts";

/** Values for property tests. */

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

export const anyFamily = fc.constantFrom<4 | 6>(4, 6);
export const anyMac = bytes(6).map((raw) => new MacAddress(raw));
export const anyU32 = fc.nat(0xffffffff);
/** An interface's name as the kernel takes it. */
export const anyName = fc.stringMatching(/^[a-z][a-z0-9.-]{0,14}$/);

export function anyIp(family: 4 | 6): fc.Arbitrary<Ip> {
  return bytes(family === 4 ? 4 : 16).map((raw) => new Ip(raw));
}

/** An address with a prefix length; its host bits are any. */
export function anyCidr(family: 4 | 6): fc.Arbitrary<Cidr> {
  const length = fc.nat(family === 4 ? 32 : 128);
  return fc.tuple(anyIp(family), length).map(([ip, prefixLength]) => new Cidr(ip, prefixLength));
}

/** A network: its host bits are 0. */
export function anyNetwork(family: 4 | 6): fc.Arbitrary<Cidr> {
  return anyCidr(family).map((cidr) => cidr.network);
}

/** Some keys of the record may be missing. */
export function anyPart<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(model, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<Partial<T>>;
}
