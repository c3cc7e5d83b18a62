import type { Cidr } from "../address/cidr.ts";
import { IFA_F_NODAD } from "./address.ts";
import { Writer } from "./codec.ts";
import { AF_INET6 } from "./family.ts";
import type { LinkRef } from "./link.ts";
import { NLM_F_REPLACE, type Request } from "./message.ts";

/** Which IPv6 addresses are spoken from. Wire: struct ifaddrmsg and struct ifa_cacheinfo (linux/if_addr.h). */

const RTM_NEWADDR = 20;
const IFA_ADDRESS = 1;
const IFA_CACHEINFO = 6;

/** What begins to speak does so from another address, if there is one. */
export const IFA_F_DEPRECATED = 0x20;

const FOREVER = 0xffffffff;

/**
 * Equivalent to `ip address change CIDR dev LINK valid_lft forever preferred_lft …`: forever, or 0. An address that the
 * link does not have is added.
 */
export function preferAddress(link: LinkRef, cidr: Cidr, preferred: boolean): Request {
  // Preferred and valid for these seconds; when it was made and changed is the kernel's to say.
  const lifetimes = new Writer(16)
    .u32(preferred ? FOREVER : 0)
    .u32(FOREVER)
    .zeros(8)
    .finish();
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_REPLACE,
    body: new Writer(64)
      .u8(AF_INET6)
      .u8(cidr.prefixLength)
      .u8(IFA_F_NODAD)
      .u8(0)
      .u32(link.index)
      .bytesAttribute(IFA_ADDRESS, cidr.ip.bytes)
      .bytesAttribute(IFA_CACHEINFO, lifetimes)
      .finish(),
    what: `${preferred ? "prefer" : "deprecate"} address ${cidr} of ${link.name}`,
  };
}
