import { Cidr } from "../address/cidr.ts";
import type { Ip } from "../address/ip.ts";
import { Reader, WireError, Writer } from "./codec.ts";
import { AF_UNSPEC, familyNumber, familyOf, readIp } from "./family.ts";
import type { LinkRef } from "./link.ts";
import { type Dump, NLM_F_CREATE, NLM_F_EXCL, type Request } from "./message.ts";

/** Addresses of links. Wire: struct ifaddrmsg and IFA_* (linux/if_addr.h). */

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
/** sizeof(struct ifaddrmsg): family, prefix length, flags, scope, index. */
const HEADER = 8;

/** No duplicate address detection: an IPv6 address is usable at once. */
export const IFA_F_NODAD = 0x02;
/** Duplicate address detection found another owner. */
export const IFA_F_DADFAILED = 0x08;
/** Duplicate address detection is going on. */
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
/** No route to the address's network comes with it. */
export const IFA_F_NOPREFIXROUTE = 0x200;

export interface Address {
  readonly cidr: Cidr;
  /** The other end of a point-to-point link; the prefix length is its. */
  readonly peer?: Ip | undefined;
  /** IPv4 only. The kernel sets none by itself. */
  readonly broadcast?: Ip | undefined;
  /** RT_SCOPE_*: 0 everywhere, 253 on the link, 254 within the host. */
  readonly scope?: number | undefined;
  /** IFA_F_* */
  readonly flags?: number | undefined;
  /** IPv4 only: begins with the link's name. */
  readonly label?: string | undefined;
}

export interface LinkAddress extends Address {
  /** The link's index. */
  readonly link: number;
  readonly scope: number;
  readonly flags: number;
}

/** Equivalent to `ip address add CIDR dev LINK …`; EEXIST if the link has it. */
export function addAddress(link: LinkRef, address: Address): Request {
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: encode(link.index, address),
    what: `add address ${address.cidr} to ${link.name}`,
  };
}

/** Equivalent to `ip address delete CIDR dev LINK`; EADDRNOTAVAIL if it does not have it. */
export function removeAddress(link: LinkRef, address: Address): Request {
  return {
    type: RTM_DELADDR,
    flags: 0,
    body: encode(link.index, address),
    what: `remove address ${address.cidr} from ${link.name}`,
  };
}

/** Equivalent to `ip [-4 | -6] address show [dev LINK]`. */
export function listAddresses(filter: { link?: number; family?: 4 | 6 } = {}): Dump<LinkAddress> {
  const { link = 0, family } = filter;
  const decode = (message: Uint8Array, type: number) => {
    const address = decodeAddress(message, type);
    const other =
      (link || address?.link) !== address?.link || (family ?? address?.cidr.family) !== address?.cidr.family;
    return other ? undefined : address;
  };
  const body = new Writer(HEADER).u32(family ? familyNumber(family) : AF_UNSPEC).u32(link);
  return { type: RTM_GETADDR, body: body.finish(), what: "list the addresses", decode };
}

function encode(link: number, { cidr, peer, broadcast, scope = 0, flags = 0, label }: Address): Uint8Array {
  const body = new Writer(64)
    .u8(familyNumber(cidr.family))
    .u8(cidr.prefixLength)
    .u8(flags & 0xff)
    .u8(scope)
    .u32(link);
  body.bytesAttribute(IFA_LOCAL, cidr.ip.bytes).bytesAttribute(IFA_ADDRESS, (peer ?? cidr.ip).bytes);
  if (broadcast) body.bytesAttribute(IFA_BROADCAST, broadcast.bytes);
  if (label !== undefined) body.textAttribute(IFA_LABEL, label);
  // ifa_flags has eight bits; IFA_FLAGS has all.
  if (flags > 0xff) body.u32Attribute(IFA_FLAGS, flags);
  return body.finish();
}

/** Reads RTM_NEWADDR; undefined for other messages and other families than IP. */
export function decodeAddress(body: Uint8Array, type: number): LinkAddress | undefined {
  const reader = new Reader(body);
  if (type !== RTM_NEWADDR || familyOf(reader.u8()) === undefined) return undefined;
  const attributes = reader.attributes(HEADER);
  const address = attributes.get(IFA_ADDRESS);
  // IPv6 sends IFA_ADDRESS alone, unless there is a peer.
  const own = attributes.get(IFA_LOCAL) ?? address;
  if (!own) throw new WireError("address message without IFA_LOCAL and IFA_ADDRESS");
  const cidr = new Cidr(readIp(own), reader.u8(1));
  const peer = address && readIp(address);
  const broadcast = attributes.get(IFA_BROADCAST);
  return {
    link: reader.u32(4),
    cidr,
    ...(peer && !peer.equals(cidr.ip) && { peer }),
    ...(broadcast && { broadcast: readIp(broadcast) }),
    scope: reader.u8(3),
    flags: attributes.get(IFA_FLAGS)?.u32() ?? reader.u8(2),
    ...(attributes.has(IFA_LABEL) && { label: attributes.get(IFA_LABEL)!.text() }),
  };
}
