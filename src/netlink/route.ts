import type { Cidr } from "../address/cidr.ts";
import type { Ip } from "../address/ip.ts";
import { Writer } from "./codec.ts";
import { familyNumber } from "./family.ts";
import type { LinkRef } from "./link.ts";
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, type Request } from "./message.ts";

/**
 * Routes. Wire: struct rtmsg, RTA_*, RTAX_* (linux/rtnetlink.h). What reads them is in route-list.ts: a plugin's
 * ADD and DEL only write.
 */

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RTNH_F_ONLINK = 4;
const RTPROT_BOOT = 3;
const RT_SCOPE_NOWHERE = 255;

export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;

/** One of several ways of a route. */
export interface NextHop {
  /** The link's index. */
  readonly link: number;
  readonly gateway?: Ip | undefined;
  /** Its share of the traffic, from 1. */
  readonly weight: number;
  readonly onlink?: boolean | undefined;
}

export interface Route {
  /** The default route is 0.0.0.0/0 or ::/0. */
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  /** The gateway is on the link although no address of it says so. */
  readonly onlink?: boolean | undefined;
  /** The source address of what this host sends itself. */
  readonly source?: Ip | undefined;
  /** RT_SCOPE_*; unless told, link without a gateway and universe with one. IPv6 has none. */
  readonly scope?: number | undefined;
  /** Any 32-bit number; main unless told. */
  readonly table?: number | undefined;
  /** The metric: the lower is preferred. IPv6 makes 1024 of 0. */
  readonly priority?: number | undefined;
  readonly mtu?: number | undefined;
  /** The maximal TCP segment to announce. */
  readonly advmss?: number | undefined;
  /** RTPROT_*: who made it; boot unless told. */
  readonly protocol?: number | undefined;
  /** RTN_*; unicast unless told. */
  readonly type?: number | undefined;
  /** Several ways, in place of a link and a gateway. */
  readonly nextHops?: readonly NextHop[] | undefined;
}

/** Equivalent to `ip route add DST [via GATEWAY] [dev LINK] …`; EEXIST if there is such a route. */
export function addRoute(link: LinkRef | undefined, route: Route): Request {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return {
    type: RTM_NEWROUTE,
    flags,
    body: encodeNew(link, route),
    what: `add route ${routeText(link, route)}`,
  };
}

/** Equivalent to `ip route append …`: a route to the same destination by another way stays, and is preferred. */
export function appendRoute(link: LinkRef | undefined, route: Route): Request {
  return { ...addRoute(link, route), flags: NLM_F_CREATE | NLM_F_APPEND };
}

/** Equivalent to `ip route replace …`: a route to the same destination with the same metric gives way. */
export function replaceRoute(link: LinkRef | undefined, route: Route): Request {
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return {
    type: RTM_NEWROUTE,
    flags,
    body: encodeNew(link, route),
    what: `set route ${routeText(link, route)}`,
  };
}

/** Equivalent to `ip route delete …`: the first route that has all that is given; ESRCH if there is none. */
export function removeRoute(link: LinkRef | undefined, route: Route): Request {
  const { scope = RT_SCOPE_NOWHERE, protocol = 0, type = 0 } = route;
  const body = encode(link, { ...route, scope, protocol, type });
  return { type: RTM_DELROUTE, flags: 0, body, what: `remove route ${routeText(link, route)}` };
}

function encodeNew(link: LinkRef | undefined, route: Route): Uint8Array {
  const { type = RTN_UNICAST, protocol = RTPROT_BOOT } = route;
  return encode(link, { ...route, type, protocol, scope: route.scope ?? scopeOf(type, route) });
}

/** As `ip route` chooses it. IPv6 takes no notice. */
function scopeOf(type: number, { gateway, nextHops }: Route): number {
  if (type === RTN_LOCAL) return RT_SCOPE_HOST;
  if (type === RTN_BROADCAST || (type === RTN_UNICAST && !gateway && !nextHops)) return RT_SCOPE_LINK;
  return RT_SCOPE_UNIVERSE;
}

function encode(link: LinkRef | undefined, route: Route): Uint8Array {
  const { dst, gateway, onlink, source, scope = 0, protocol = 0, type = 0, nextHops } = route;
  const { table = RT_TABLE_MAIN, priority, mtu, advmss } = route;
  const body = new Writer(64).u8(familyNumber(dst.family)).u8(dst.prefixLength).u8(0).u8(0);
  // rtm_table has eight bits; RTA_TABLE has all.
  body
    .u8(table > 255 ? 0 : table)
    .u8(protocol)
    .u8(scope)
    .u8(type);
  body.u32(onlink ? RTNH_F_ONLINK : 0);
  if (dst.prefixLength > 0) body.bytesAttribute(RTA_DST, dst.networkAddress.bytes);
  if (gateway) writeGateway(body, gateway, dst.family);
  if (link) body.u32Attribute(RTA_OIF, link.index);
  if (source) body.bytesAttribute(RTA_PREFSRC, source.bytes);
  if (priority !== undefined) body.u32Attribute(RTA_PRIORITY, priority);
  if (table > 255) body.u32Attribute(RTA_TABLE, table);
  if (mtu !== undefined || advmss !== undefined)
    body.nest(RTA_METRICS, (metrics) => {
      if (mtu !== undefined) metrics.u32Attribute(RTAX_MTU, mtu);
      if (advmss !== undefined) metrics.u32Attribute(RTAX_ADVMSS, advmss);
    });
  if (nextHops) body.bytesAttribute(RTA_MULTIPATH, encodeNextHops(nextHops, dst.family));
  return body.finish();
}

function writeGateway(into: Writer, gateway: Ip, family: 4 | 6): void {
  if (gateway.family === family) into.bytesAttribute(RTA_GATEWAY, gateway.bytes);
  // An IPv4 route by an IPv6 router (RFC 5549): struct rtvia.
  else {
    const via = new Writer(20).u16(familyNumber(gateway.family)).raw(gateway.bytes);
    into.bytesAttribute(RTA_VIA, via.finish());
  }
}

/** A list of struct rtnexthop, each with its attributes. */
function encodeNextHops(nextHops: readonly NextHop[], family: 4 | 6): Uint8Array {
  const list = new Writer();
  for (const { link, gateway, weight, onlink } of nextHops) {
    const attributes = new Writer(32);
    if (gateway) writeGateway(attributes, gateway, family);
    list
      .u16(8 + attributes.length)
      .u8(onlink ? RTNH_F_ONLINK : 0)
      .u8(weight - 1)
      .u32(link);
    list.raw(attributes.finish());
  }
  return list.finish();
}

function routeText(link: LinkRef | undefined, { dst, gateway, table }: Route): string {
  const way = `${gateway ? ` via ${gateway}` : ""}${link ? ` dev ${link.name}` : ""}`;
  return `${dst}${way}${table === undefined ? "" : ` in table ${table}`}`;
}
