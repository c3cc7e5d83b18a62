import type { Ip } from "../../address/ip.ts";

/** Neither multicast nor one of the special ones that begin with 0, as ::1 and ::ffff:10.0.0.1; but 64:ff9b:: (NAT64). */
export function isUnicast({ bytes }: Ip): boolean {
  return bytes[0] !== 0xff && (bytes[0] !== 0 || bytes[1] !== 0);
}

/** fe80::/10. */
export function isLinkLocal({ bytes }: Ip): boolean {
  return bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}
