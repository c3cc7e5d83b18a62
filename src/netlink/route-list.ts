import { Cidr, everywhere } from "../address/cidr.ts";
import type { Ip } from "../address/ip.ts";
import { type Attributes, NO_ATTRIBUTES, Reader, WireError, Writer } from "./codec.ts";
import { AF_UNSPEC, familyNumber, familyOf, readIp } from "./family.ts";
import type { Dump, Query } from "./message.ts";
import type { NextHop, Route } from "./route.ts";

/** Reading routes. Wire: struct rtmsg, struct rtnexthop, RTA_* (linux/rtnetlink.h). */

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_MARK = 16;
const RTA_VIA = 18;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RTNH_F_ONLINK = 4;
/** A copy in a cache of the kernel, or an answer made up for a lookup. */
const RTM_F_CLONED = 0x200;
/** sizeof(struct rtmsg). */
const HEADER = 12;
/** sizeof(struct rtnexthop): u16 length, u8 flags, u8 weight - 1, u32 link. */
const HOP_HEADER = 8;

export interface LinkRoute extends Route {
  /** The link's index; undefined for blackholes and for several ways. */
  readonly link: number | undefined;
  readonly scope: number;
  readonly table: number;
  readonly priority: number;
  readonly protocol: number;
  readonly type: number;
}

export interface RouteFilter {
  readonly family?: 4 | 6 | undefined;
  /** The link's index. */
  readonly link?: number | undefined;
  readonly table?: number | undefined;
  readonly protocol?: number | undefined;
  readonly type?: number | undefined;
}

/** Equivalent to `ip [-4 | -6] route show [dev LINK] [table TABLE] …`; all tables unless one is given. */
export function listRoutes(filter: RouteFilter = {}): Dump<LinkRoute> {
  const { family, link, table, protocol, type } = filter;
  // For one family the kernel says ENOENT when there is no such table; for all it says nothing.
  const asked = family && table === undefined ? familyNumber(family) : AF_UNSPEC;
  const body = new Writer(32).u32(asked);
  body
    .u8(0)
    .u8(protocol ?? 0)
    .u8(0)
    .u8(type ?? 0)
    .u32(0);
  if (table !== undefined) body.u32Attribute(RTA_TABLE, table);
  if (link !== undefined) body.u32Attribute(RTA_OIF, link);
  const decode = (message: Uint8Array, messageType: number) => {
    const route = decodeRoute(message, messageType);
    if (!route || new Reader(message).u32(8) & RTM_F_CLONED) return undefined;
    const wanted =
      (family ?? route.dst.family) === route.dst.family &&
      (link ?? route.link) === route.link &&
      (table ?? route.table) === route.table &&
      (protocol ?? route.protocol) === route.protocol &&
      (type ?? route.type) === route.type;
    return wanted ? route : undefined;
  };
  return { type: RTM_GETROUTE, body: body.finish(), what: "list the routes", decode };
}

/**
 * The route that a packet to `destination` would take. Equivalent to `ip route get DESTINATION [from SOURCE]
 * [oif LINK] [mark MARK]`. ENETUNREACH, EHOSTUNREACH if there is none.
 */
export function lookUpRoute(
  destination: Ip,
  by: { source?: Ip; link?: number; mark?: number } = {},
): Query<LinkRoute> {
  const { source, link, mark } = by;
  const bits = destination.bytes.length * 8;
  const body = new Writer(64)
    .u8(familyNumber(destination.family))
    .u8(bits)
    .u8(source ? bits : 0)
    .zeros(9);
  body.bytesAttribute(RTA_DST, destination.bytes);
  if (source) body.bytesAttribute(RTA_SRC, source.bytes);
  if (link !== undefined) body.u32Attribute(RTA_OIF, link);
  if (mark !== undefined) body.u32Attribute(RTA_MARK, mark);
  const what = `look up the route to ${destination}`;
  return { type: RTM_GETROUTE, body: body.finish(), what, decode: decodeRoute };
}

/** Reads RTM_NEWROUTE; undefined for other messages and other families than IP. */
export function decodeRoute(body: Uint8Array, messageType: number): LinkRoute | undefined {
  const reader = new Reader(body);
  const family = familyOf(reader.u8());
  if (messageType !== RTM_NEWROUTE || family === undefined) return undefined;
  const attributes = reader.attributes(HEADER);
  const metrics = attributes.get(RTA_METRICS)?.attributes() ?? NO_ATTRIBUTES;
  const prefixLength = reader.u8(1);
  const dst = attributes.get(RTA_DST);
  const gateway = gatewayOf(attributes);
  const source = attributes.get(RTA_PREFSRC);
  const mtu = metrics.get(RTAX_MTU)?.u32();
  const advmss = metrics.get(RTAX_ADVMSS)?.u32();
  const hops = attributes.get(RTA_MULTIPATH);
  return {
    dst: dst ? new Cidr(readIp(dst), prefixLength) : new Cidr(everywhere(family).ip, prefixLength),
    link: attributes.get(RTA_OIF)?.u32(),
    ...(gateway && { gateway }),
    ...(reader.u32(8) & RTNH_F_ONLINK && { onlink: true }),
    ...(source && { source: readIp(source) }),
    scope: reader.u8(6),
    table: attributes.get(RTA_TABLE)?.u32() ?? reader.u8(4),
    priority: attributes.get(RTA_PRIORITY)?.u32() ?? 0,
    ...(mtu !== undefined && { mtu }),
    ...(advmss !== undefined && { advmss }),
    protocol: reader.u8(5),
    type: reader.u8(7),
    ...(hops && { nextHops: decodeNextHops(hops) }),
  };
}

function gatewayOf(attributes: Attributes): Ip | undefined {
  const gateway = attributes.get(RTA_GATEWAY);
  if (gateway) return readIp(gateway);
  // struct rtvia: u16 family, address.
  const via = attributes.get(RTA_VIA);
  return via && readIp(via.from(2));
}

function decodeNextHops(list: Reader): NextHop[] {
  const hops: NextHop[] = [];
  for (let at = 0; at < list.length; ) {
    const length = list.u16(at);
    if (length < HOP_HEADER || at + length > list.length)
      throw new WireError(`next hop of ${length} bytes where ${list.length - at} are left`);
    const hop = list.from(at, length);
    const gateway = gatewayOf(hop.attributes(HOP_HEADER));
    hops.push({
      link: hop.u32(4),
      ...(gateway && { gateway }),
      weight: hop.u8(3) + 1,
      ...(hop.u8(2) & RTNH_F_ONLINK && { onlink: true }),
    });
    at += (length + 3) & ~3;
  }
  return hops;
}
