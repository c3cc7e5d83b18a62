/**
 * Connections as the kernel tracks them: ctnetlink. Wire: struct nfgenmsg, then CTA_* in network byte order
 * (linux/netfilter/nfnetlink_conntrack.h).
 */
import type { Ip } from "../address/ip.ts";
import { errno } from "../host/errno.ts";
import { isErrno } from "../host/host.ts";
import { Reader, Writer } from "./codec.ts";
import { isNetlinkErrno } from "./error.ts";
import { AF_UNSPEC, familyNumber, readIp } from "./family.ts";
import type { Dump, Query, Request } from "./message.ts";
import type { NetfilterPlace } from "./nftables/support.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
/** A version of 0 makes the kernel ignore the family of what is to be deleted. */
const NFNETLINK_V1 = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const IPCTNL_MSG_CT_GET_STATS = 5;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_STATUS_MASK = 26;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_TUPLE_ZONE = 3;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** Which parts of a tuple the kernel compares (net/netfilter/nf_internals.h). */
const COMPARE_SOURCE = 1 << 0;
const COMPARE_DESTINATION = 1 << 1;
const COMPARE_PROTOCOL = 1 << 3;
const COMPARE_DESTINATION_PORT = 1 << 5;
/** sizeof(struct nfgenmsg): u8 family, u8 version, be16 resource. */
const HEADER = 4;

/** Bits of `Connection.status` (linux/netfilter/nf_conntrack_common.h): it was answered and is in use; it is translated. */
export const IPS_ASSURED = 4;
export const IPS_SRC_NAT = 0x10;
export const IPS_DST_NAT = 0x20;

/** One direction of a connection, as its packets have it where they come in. */
export interface Tuple {
  readonly source: Ip;
  readonly destination: Ip;
  /** IPPROTO_* */
  readonly protocol: number;
  /** 0 in protocols without ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The zone of this direction, where the directions have different ones. */
  readonly zone?: number | undefined;
}

export interface Connection {
  readonly original: Tuple;
  /** What the answers have: they come from where the connection was translated to. */
  readonly reply: Tuple;
  /** IPS_* */
  readonly status: number;
  /** The kernel's number for it, which tells it from a later one with the same tuples. */
  readonly id?: number | undefined;
  /** Connections of different zones may have the same tuples. */
  readonly zone?: number | undefined;
}

/** Which connections; without port and address, all of the family, and without family, all. */
export type ConnectionFilter =
  | { readonly family?: 4 | 6; readonly to?: undefined; readonly answeredBy?: undefined }
  /** By the port to which the first packet went. */
  | { readonly family: 4 | 6; readonly to: PortOf; readonly answeredBy?: undefined }
  /** By the address from which answers come: the destination after translation. */
  | { readonly family: 4 | 6; readonly to?: undefined; readonly answeredBy: Ip };

/** Bits of `Connection.status`: those of the mask must be as in the value. */
export interface StatusFilter {
  readonly mask: number;
  readonly value: number;
}

/** A port of an IPPROTO_*. */
export interface PortOf {
  readonly protocol: number;
  readonly port: number;
  /** At this IPv4 address alone. */
  readonly at?: Ip | undefined;
}

/**
 * Equivalent to `conntrack -L [-f FAMILY] [-p PROTOCOL --orig-port-dst PORT | --reply-src IP]`. The kernel filters since
 * Linux 5.8, but not by IPv6 addresses: it compares these the wrong way round (ctnetlink_filter_match_tuple, seen in
 * 6.18). It walks through its whole table in any case: 10 ms for 262,144 buckets.
 */
export function listConnections(filter: ConnectionFilter = {}): Dump<Connection> {
  const { family, to, answeredBy } = filter;
  const body = header(family);
  writeFilter(body, filter);
  const decode = (message: Uint8Array) => {
    const connection = decodeConnection(message);
    if (!connection) return undefined;
    const { original, reply } = connection;
    const wanted =
      (family ?? original.source.family) === original.source.family &&
      (to?.protocol ?? original.protocol) === original.protocol &&
      (to?.port ?? original.destinationPort) === original.destinationPort &&
      (to?.at ?? original.destination).equals(original.destination) &&
      (answeredBy ?? reply.source).equals(reply.source);
    return wanted ? connection : undefined;
  };
  return {
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
    body: body.finish(),
    what: "list the tracked connections",
    mention: mentionOf(filter),
    decode,
  };
}

/**
 * Equivalent to `conntrack -D --reply-src IP`: all whose answers come from the IPv4 address. Since Linux 6.8; before,
 * EOPNOTSUPP or EINVAL, for the tuple is not whole. It takes 0.3 ms for 262,144 empty buckets. RangeError for IPv6, of
 * which the kernel would delete all others: see `listConnections`.
 */
export function deleteConnectionsAnsweredBy(ip: Ip): Request {
  if (ip.family === 6) throw new RangeError(`connections cannot be deleted by the IPv6 address ${ip}`);
  return deleteByFilter(`${ip}`, { family: 4, answeredBy: ip }, { mask: 0, value: 0 });
}

/** The same for `conntrack -D -p PROTOCOL --orig-port-dst PORT [--orig-dst IP]`, of all addresses unless one is given. */
export function deleteConnectionsTo(
  family: 4 | 6,
  to: PortOf,
  status: StatusFilter = { mask: 0, value: 0 },
): Request {
  return deleteByFilter(`port ${to.port}`, { family, to }, status);
}

function deleteByFilter(what: string, filter: ConnectionFilter, { mask, value }: StatusFilter): Request {
  const body = header(filter.family, NFNETLINK_V1);
  writeFilter(body, filter);
  if (mask !== 0) body.be32Attribute(CTA_STATUS, value).be32Attribute(CTA_STATUS_MASK, mask);
  return {
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
    flags: 0,
    body: body.finish(),
    what: `forget the connections to ${what}`,
  };
}

/** Equivalent to `conntrack -D` for this one; ENOENT if it is gone. */
export function deleteConnection({
  original,
  id,
  zone,
}: Pick<Connection, "original" | "id" | "zone">): Request {
  const body = header(original.source.family);
  body.nest(CTA_TUPLE_ORIG, (tuple) => writeTuple(tuple, original));
  if (zone !== undefined) body.be16Attribute(CTA_ZONE, zone);
  if (id !== undefined) body.be32Attribute(CTA_ID, id);
  return {
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
    flags: 0,
    body: body.finish(),
    what: `forget a connection to port ${original.destinationPort} of ${original.destination}`,
  };
}

/** Reads a connection; undefined if it lacks addresses. WireError if the message has not the form. */
export function decodeConnection(body: Uint8Array): Connection | undefined {
  const attributes = new Reader(body).attributes(HEADER);
  const original = readTuple(attributes.get(CTA_TUPLE_ORIG));
  const reply = readTuple(attributes.get(CTA_TUPLE_REPLY));
  if (!original || !reply) return undefined;
  return {
    original,
    reply,
    status: attributes.get(CTA_STATUS)?.be32() ?? 0,
    id: attributes.get(CTA_ID)?.be32(),
    zone: attributes.get(CTA_ZONE)?.be16(),
  };
}

/** Whether this kernel tells of the connections that it tracks. */
export function hasConntrack(place: NetfilterPlace): boolean {
  const question: Query<true> = {
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET_STATS,
    body: header().finish(),
    what: "ask for the statistics of tracked connections",
    decode: () => true,
  };
  try {
    return place.netfilter.query(question) ?? false;
  } catch (error) {
    // No netfilter sockets at all, or nobody behind them who answers for ctnetlink (nfnetlink_rcv_msg).
    if (isErrno(error, errno.EPROTONOSUPPORT) || isNetlinkErrno(error, errno.EINVAL, errno.EOPNOTSUPP))
      return false;
    throw error;
  }
}

function header(family?: 4 | 6, version = 0): Writer {
  return new Writer(128)
    .u8(family ? familyNumber(family) : AF_UNSPEC)
    .u8(version)
    .be16(0);
}

function writeFilter(into: Writer, { to, answeredBy: ip }: ConnectionFilter): void {
  const answeredBy = ip?.family === 4 ? ip : undefined;
  const at = to?.at;
  if (to)
    into.nest(CTA_TUPLE_ORIG, (tuple) => {
      if (at) tuple.nest(CTA_TUPLE_IP, (nest) => nest.bytesAttribute(CTA_IP_V4_DST, at.bytes));
      tuple.nest(CTA_TUPLE_PROTO, (proto) =>
        proto.u8Attribute(CTA_PROTO_NUM, to.protocol).be16Attribute(CTA_PROTO_DST_PORT, to.port),
      );
    });
  const compared = to ? COMPARE_PROTOCOL | COMPARE_DESTINATION_PORT | (at ? COMPARE_DESTINATION : 0) : 0;
  if (answeredBy)
    into.nest(CTA_TUPLE_REPLY, (tuple) =>
      tuple.nest(CTA_TUPLE_IP, (nest) => nest.bytesAttribute(CTA_IP_V4_SRC, answeredBy.bytes)),
    );
  if (to || answeredBy)
    into.nest(CTA_FILTER, (flags) =>
      flags
        .u32Attribute(CTA_FILTER_ORIG_FLAGS, compared)
        .u32Attribute(CTA_FILTER_REPLY_FLAGS, answeredBy ? COMPARE_SOURCE : 0),
    );
}

/** Bytes that an entry has if it is wanted. A kernel that does not filter may send hundreds of thousands of others. */
function mentionOf({ to, answeredBy }: ConnectionFilter): string | undefined {
  const attribute = new Writer(32);
  if (answeredBy) attribute.bytesAttribute(sourceOf(answeredBy), answeredBy.bytes);
  else if (to) attribute.u16(6).u16(CTA_PROTO_DST_PORT).be16(to.port);
  return attribute.length > 0 ? String.fromCharCode(...attribute.finish()) : undefined;
}

function sourceOf({ family }: Ip): number {
  return family === 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
}

function writeTuple(into: Writer, tuple: Tuple): void {
  const { source, destination, protocol, sourcePort, destinationPort, zone } = tuple;
  const destinationOf = source.family === 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST;
  into
    .nest(CTA_TUPLE_IP, (ip) =>
      ip.bytesAttribute(sourceOf(source), source.bytes).bytesAttribute(destinationOf, destination.bytes),
    )
    .nest(CTA_TUPLE_PROTO, (proto) =>
      proto
        .u8Attribute(CTA_PROTO_NUM, protocol)
        .be16Attribute(CTA_PROTO_SRC_PORT, sourcePort)
        .be16Attribute(CTA_PROTO_DST_PORT, destinationPort),
    );
  if (zone !== undefined) into.be16Attribute(CTA_TUPLE_ZONE, zone);
}

function readTuple(nest: Reader | undefined): Tuple | undefined {
  const tuple = nest?.attributes();
  const ip = tuple?.get(CTA_TUPLE_IP)?.attributes();
  const proto = tuple?.get(CTA_TUPLE_PROTO)?.attributes();
  const source = ip?.get(CTA_IP_V4_SRC) ?? ip?.get(CTA_IP_V6_SRC);
  const destination = ip?.get(CTA_IP_V4_DST) ?? ip?.get(CTA_IP_V6_DST);
  if (!source || !destination) return undefined;
  return {
    source: readIp(source),
    destination: readIp(destination),
    protocol: proto?.get(CTA_PROTO_NUM)?.u8() ?? 0,
    sourcePort: proto?.get(CTA_PROTO_SRC_PORT)?.be16() ?? 0,
    destinationPort: proto?.get(CTA_PROTO_DST_PORT)?.be16() ?? 0,
    zone: tuple?.get(CTA_TUPLE_ZONE)?.be16(),
  };
}
