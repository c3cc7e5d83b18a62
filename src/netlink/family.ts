import { Ip } from "../address/ip.ts";
import { type Reader, WireError } from "./codec.ts";

/** Address families (linux/socket.h) as rtnetlink headers name them. */
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;

export function familyNumber(family: 4 | 6): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** 4 or 6; undefined for families that this code does not speak (MPLS, multicast routes). */
export function familyOf(number: number): 4 | 6 | undefined {
  return number === AF_INET ? 4 : number === AF_INET6 ? 6 : undefined;
}

/** An attribute that is an address. WireError if it has neither 4 nor 16 bytes. */
export function readIp({ bytes }: Reader): Ip {
  if (bytes.length !== 4 && bytes.length !== 16) throw new WireError(`IP address of ${bytes.length} bytes`);
  return new Ip(bytes);
}
