import type { Ip } from "../address/ip.ts";
import { Reader, Writer } from "./codec.ts";
import { type Dump, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE, type Request } from "./message.ts";
import { type LinkRoute, listRoutes, type RouteFilter } from "./route-list.ts";

/**
 * Routes that are put into another table, or back. What the kernel tells of a route becomes the request for the copy,
 * so that it keeps what this code does not know: metrics, encapsulation, preference, realms, …
 */

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_CACHEINFO = 12;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_ENCAP_TYPE = 21;
const RTA_ENCAP = 22;
const RTA_EXPIRES = 23;
const RTA_NH_ID = 30;
const RTNH_F_ONLINK = 4;
/** sizeof(struct rtmsg), and where it has the table, then the protocol; the scope, then the type; the flags. */
const HEADER = 12;
const TABLE = 4;
const SCOPE = 6;
const FLAGS = 8;
/** Where struct rta_cacheinfo has the lifetime, in hundredths of a second (USER_HZ). */
const EXPIRES = 8;
const TICKS = 100;

/** A route, and the message that told of it. */
export interface WholeRoute extends LinkRoute {
  readonly message: Uint8Array;
}

/** As `listRoutes`, for routes that are to be copied. */
export function listWholeRoutes(filter: RouteFilter = {}): Dump<WholeRoute> {
  const dump = listRoutes(filter);
  const decode = (message: Uint8Array, type: number) => {
    const route = dump.decode(message, type);
    return route && { ...route, message };
  };
  return { ...dump, decode };
}

/**
 * The part of a route that leads by this link; undefined if there is none. In IPv6 several ways are several routes,
 * which the kernel tells in one message; in IPv4 they are one, which belongs to no link alone.
 */
export function partBy(link: number, route: WholeRoute): WholeRoute | undefined {
  const { nextHops, dst, message } = route;
  if (nextHops === undefined) return route.link === link ? route : undefined;
  const own = nextHops.filter((hop) => hop.link === link);
  if (own.length === nextHops.length) return route;
  if (own.length === 0 || dst.family === 4) return undefined;
  const body = new Writer(message.length).raw(message.subarray(0, HEADER));
  for (const [type, { bytes }] of new Reader(message).attributeList(HEADER))
    body.bytesAttribute(type, type === RTA_MULTIPATH ? hopsOf(bytes, (hop) => hop === link) : bytes);
  return { ...route, message: body.finish(), nextHops: own };
}

export interface RouteChange {
  /** Its own unless told. */
  readonly table?: number | undefined;
  /** The source address, in place of the route's; null for none. */
  readonly source?: Ip | null | undefined;
  /** RTPROT_*: who made it; its own unless told. */
  readonly protocol?: number | undefined;
}

/** Adds the route behind those to the same destination; EEXIST if it is there already. */
export function copyRoute(route: WholeRoute, change: RouteChange = {}): Request {
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_APPEND,
    body: encode(route, change),
    what: `copy ${textOf(route, change)}`,
  };
}

/** As `copyRoute`; a route to the same destination with the same metric gives way. */
export function replaceByCopy(route: WholeRoute, change: RouteChange = {}): Request {
  return { ...copyRoute(route, change), flags: NLM_F_CREATE | NLM_F_REPLACE };
}

/** Removes the route, or a copy that was made with the same change; ESRCH if there is none. */
export function removeCopy(route: WholeRoute, change: RouteChange = {}): Request {
  return {
    type: RTM_DELROUTE,
    flags: 0,
    body: encode(route, change),
    what: `remove ${textOf(route, change)}`,
  };
}

function encode(route: WholeRoute, change: RouteChange): Uint8Array {
  const { message } = route;
  const { table = route.table, source, protocol = route.protocol } = change;
  const reader = new Reader(message);
  const attributes = reader.attributeList(HEADER);
  const byObject = attributes.some(([type]) => type === RTA_NH_ID);
  const body = new Writer(message.length + 32)
    .raw(message.subarray(0, TABLE))
    .u8(table > 255 ? 0 : table)
    .u8(protocol);
  // Of the flags (RTNH_F_*, RTM_F_*), all others tell of the state that it is in.
  body.raw(message.subarray(SCOPE, FLAGS)).u32(reader.u32(FLAGS) & RTNH_F_ONLINK);
  for (const [type, payload] of attributes) {
    if (type === RTA_TABLE || (type === RTA_PREFSRC && source !== undefined) || (byObject && isWay(type)))
      continue;
    if (type === RTA_CACHEINFO) writeLifetime(body, payload);
    else body.bytesAttribute(type, type === RTA_MULTIPATH ? hopsOf(payload.bytes) : payload.bytes);
  }
  if (source) body.bytesAttribute(RTA_PREFSRC, source.bytes);
  return body.u32Attribute(RTA_TABLE, table).finish();
}

/** What the kernel tells of a route by a nexthop object, and refuses to be told beside RTA_NH_ID. */
function isWay(type: number): boolean {
  return [RTA_OIF, RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH, RTA_ENCAP, RTA_ENCAP_TYPE].includes(type);
}

/** A route that a router has announced is for some time only; IPv4 has no such. */
function writeLifetime(into: Writer, info: Reader): void {
  const ticks = info.length < EXPIRES + 4 ? 0 : info.i32(EXPIRES);
  if (ticks > 0) into.u32Attribute(RTA_EXPIRES, Math.ceil(ticks / TICKS));
}

/** Those of a list of struct rtnexthop that are meant, without the state that they are in. */
function hopsOf(list: Uint8Array, isMeant = (_link: number) => true): Uint8Array {
  const reader = new Reader(list);
  const kept = new Writer(list.length);
  for (let at = 0; at < list.length; at += (reader.u16(at) + 3) & ~3) {
    if (!isMeant(reader.u32(at + 4))) continue;
    kept.raw(list.subarray(at, at + 2)).u8(reader.u8(at + 2) & RTNH_F_ONLINK);
    kept.raw(list.subarray(at + 3, at + reader.u16(at))).pad();
  }
  return kept.finish();
}

function textOf({ dst, gateway, table: own }: WholeRoute, { table = own }: RouteChange): string {
  return `route ${dst}${gateway ? ` via ${gateway}` : ""} in table ${table}`;
}
