import type { Ip } from "../address/ip.ts";
import { MacAddress } from "../address/mac.ts";
import { Reader, WireError, Writer } from "./codec.ts";
import { AF_UNSPEC, familyNumber, familyOf, readIp } from "./family.ts";
import type { LinkRef } from "./link.ts";
import { type Dump, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, type Request } from "./message.ts";

/** Which MAC address an IP address has on a link. Wire: struct ndmsg, NDA_*, NUD_* (linux/neighbour.h). */

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;
/** sizeof(struct ndmsg): family, 3 bytes, u32 link, u16 state, u8 flags, u8 type. */
const HEADER = 12;

export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;
/** We answer for it: proxy ARP, proxy NDP. Such an entry has no MAC address. */
export const NTF_PROXY = 0x08;

export interface Neighbour {
  readonly ip: Ip;
  readonly mac?: MacAddress | undefined;
  /** NUD_*; permanent unless told. */
  readonly state?: number | undefined;
  /** NTF_* */
  readonly flags?: number | undefined;
}

export interface LinkNeighbour extends Neighbour {
  /** The link's index. */
  readonly link: number;
  readonly state: number;
  readonly flags: number;
}

/** Equivalent to `ip neighbour add IP lladdr MAC dev LINK`; EEXIST if there is an entry, a learned one too. */
export function addNeighbour(link: LinkRef, neighbour: Neighbour): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: encode(link.index, neighbour),
    what: `add neighbour ${neighbour.ip} to ${link.name}`,
  };
}

/** Equivalent to `ip neighbour replace IP lladdr MAC dev LINK`. */
export function replaceNeighbour(link: LinkRef, neighbour: Neighbour): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encode(link.index, neighbour),
    what: `set neighbour ${neighbour.ip} of ${link.name}`,
  };
}

/** Equivalent to `ip neighbour delete IP dev LINK`; ENOENT if there is none. */
export function removeNeighbour(link: LinkRef, neighbour: Neighbour): Request {
  return {
    type: RTM_DELNEIGH,
    flags: 0,
    body: encode(link.index, neighbour),
    what: `remove neighbour ${neighbour.ip} from ${link.name}`,
  };
}

/** Equivalent to `ip [-4 | -6] neighbour show [dev LINK] nud all`, or with `proxy` for the proxied ones. */
export function listNeighbours(
  filter: { link?: number; family?: 4 | 6; proxy?: boolean } = {},
): Dump<LinkNeighbour> {
  const { link, family, proxy = false } = filter;
  const body = new Writer(24).u32(family ? familyNumber(family) : AF_UNSPEC).u32(0);
  body
    .u16(0)
    .u8(proxy ? NTF_PROXY : 0)
    .u8(0);
  if (link !== undefined) body.u32Attribute(NDA_IFINDEX, link);
  const decode = (message: Uint8Array, type: number) => {
    const neighbour = decodeNeighbour(message, type);
    return (link ?? neighbour?.link) === neighbour?.link ? neighbour : undefined;
  };
  return { type: RTM_GETNEIGH, body: body.finish(), what: "list the neighbours", decode };
}

function encode(link: number, { ip, mac, state = NUD_PERMANENT, flags = 0 }: Neighbour): Uint8Array {
  const body = new Writer(64).u32(familyNumber(ip.family)).u32(link).u16(state).u8(flags).u8(0);
  body.bytesAttribute(NDA_DST, ip.bytes);
  if (mac) body.bytesAttribute(NDA_LLADDR, mac.bytes);
  return body.finish();
}

/** Reads RTM_NEWNEIGH; undefined for other messages and other families than IP. */
export function decodeNeighbour(body: Uint8Array, type: number): LinkNeighbour | undefined {
  const reader = new Reader(body);
  if (type !== RTM_NEWNEIGH || familyOf(reader.u8()) === undefined) return undefined;
  const attributes = reader.attributes(HEADER);
  const ip = attributes.get(NDA_DST);
  if (!ip) throw new WireError("neighbour message without NDA_DST");
  const mac = attributes.get(NDA_LLADDR);
  return {
    link: reader.u32(4),
    ip: readIp(ip),
    ...(mac && mac.length > 0 && { mac: new MacAddress(mac.bytes) }),
    state: reader.u16(8),
    flags: reader.u8(10),
  };
}
