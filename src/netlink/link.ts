import { MacAddress } from "../address/mac.ts";
import { type Attributes, NO_ATTRIBUTES, Reader, Writer } from "./codec.ts";
import { type Dump, NLM_F_CREATE, NLM_F_EXCL, type Query, type Request } from "./message.ts";

/**
 * Links, the kernel's word for network interfaces.
 * Wire: struct ifinfomsg, IFLA_* (linux/if_link.h), IFF_* (linux/if.h). What belongs to one kind of link
 * (veth, bridge, …) is in links/.
 */

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_ALT_IFNAME = 53;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
/** Leaves the counters out: half of the answer. */
const RTEXT_FILTER_SKIP_STATS = 8;

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
/** It can send: it is up, has a carrier, and nothing else is missing. */
export const IFF_RUNNING = 0x40;
export const IFF_PROMISC = 0x100;
export const IFF_ALLMULTI = 0x200;
export const IFF_LOWER_UP = 0x10000;

/** sizeof(struct ifinfomsg): family, type, index, flags, change. */
const HEADER = 16;
/** IFNAMSIZ without the NUL. */
const NAME_LENGTH = 15;

/** A link by its index. With index 0 the kernel looks for the name; otherwise the name is for messages only. */
export interface LinkRef {
  readonly index: number;
  readonly name: string;
}

export interface Link extends LinkRef {
  /** veth, bridge, vlan, …; "" for a network card and lo. */
  readonly kind: string;
  /** IFF_* */
  readonly flags: number;
  readonly mtu: number;
  /** Undefined for links without, as tun and ipip. */
  readonly mac: MacAddress | undefined;
  /** The index of the bridge, bond or VRF that it belongs to, or 0. */
  readonly master: number;
  /** The index of a veth's peer or of the link below a VLAN, macvlan or ipvlan; 0 if there is none. */
  readonly lower: number;
  /** The ID by which our namespace knows that of `lower`; undefined if it is our own. */
  readonly lowerNamespace: number | undefined;
  readonly alias: string;
  /** In packets. */
  readonly txQueueLength: number;
  /** The kind of the master, or "". */
  readonly masterKind: string;
  /** What the kind tells of the link (IFLA_INFO_DATA): attributes for the readers in links/. */
  readonly kindData: Reader | undefined;
  /** What the master's kind tells of the link as its port (IFLA_INFO_SLAVE_DATA). */
  readonly portData: Reader | undefined;
  /** All attributes, those that this code does not know included. */
  readonly attributes: Attributes;
}

/** A kind of link. To add one, write a function that gives this; see links/. */
export interface LinkKind {
  readonly kind: string;
  /** Appends the kind's own attributes (IFLA_INFO_DATA). */
  readonly write?: (data: Writer) => void;
}

/** What can be given to a new link and changed later; what is undefined stays as it is. */
export interface LinkSettings {
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: MacAddress | undefined;
  /** The index of the master; 0 for none. */
  readonly master?: number | undefined;
  /** A descriptor of the namespace to put it into. */
  readonly netnsFd?: number | undefined;
  /** In packets. */
  readonly txQueueLength?: number | undefined;
}

export interface NewLink extends LinkSettings {
  readonly name: string;
  /** The index of the link below: of a VLAN, macvlan, ipvlan. */
  readonly lower?: number | undefined;
}

export interface LinkChange extends LinkSettings {
  /** A new name. */
  readonly name?: string | undefined;
  readonly alias?: string | undefined;
  readonly promiscuous?: boolean | undefined;
  readonly allMulticast?: boolean | undefined;
  /** New settings of the kind that the link has, as `bridge({ vlanFiltering: true })`. */
  readonly kind?: LinkKind | undefined;
}

/** The link that has this name, or this alternative name. Equivalent to `ip link show dev NAME`. */
export function getLink(name: string): Query<Link> {
  return linkQuery({ index: 0, name }, name);
}

/** Equivalent to `ip link show` of the link with this index. */
export function getLinkByIndex(index: number): Query<Link> {
  return linkQuery({ index, name: "" }, `number ${index}`);
}

/** All links, or those of a master or a kind. Equivalent to `ip link show [master M] [type KIND]`. */
export function listLinks(filter: { master?: number; kind?: string } = {}): Dump<Link> {
  const { master, kind } = filter;
  const body = new Writer().zeros(HEADER).u32Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (master !== undefined) body.u32Attribute(IFLA_MASTER, master);
  if (kind !== undefined) writeKind(body, { kind });
  const decode = (message: Uint8Array, type: number) => {
    const link = decodeLink(message, type);
    const other = (master ?? link?.master) !== link?.master || (kind ?? link?.kind) !== link?.kind;
    return other ? undefined : link;
  };
  return { type: RTM_GETLINK, body: body.finish(), what: "list the links", decode };
}

/** Equivalent to `ip link add NAME type KIND …`; EEXIST if the name is taken. */
export function createLink(kind: LinkKind, link: NewLink): Request {
  const body = writeLink(new Writer(), 0, link);
  if (link.lower !== undefined) body.u32Attribute(IFLA_LINK, link.lower);
  writeKind(body, kind);
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: body.finish(),
    what: `create ${kind.kind} ${link.name}`,
  };
}

/**
 * Equivalent to `ip link set dev LINK …`. In one message the kernel moves to the namespace first, then sets
 * MAC, MTU, name, alias, master, flags in this order, and keeps what it had done when one of them fails.
 * A new name needs the link's index.
 */
export function setLink(link: LinkRef, change: LinkChange): Request {
  const body = writeLink(
    new Writer(),
    link.index,
    link.index === 0 ? { ...change, name: link.name } : change,
  );
  if (change.alias !== undefined) body.textAttribute(IFLA_IFALIAS, change.alias);
  if (change.kind) writeKind(body, change.kind);
  const settings = Object.entries(change).map(([key, value]) => described(key, value));
  return {
    type: RTM_NEWLINK,
    flags: 0,
    body: body.finish(),
    what: `set ${settings.filter(Boolean).join(", ")} of ${link.name}`,
  };
}

/** Equivalent to `ip link delete dev LINK`. A veth's peer goes with it. The kernel needs 15 to 30 ms. */
export function deleteLink(link: LinkRef): Request {
  const body = writeLink(new Writer(), link.index, link.index === 0 ? { name: link.name } : {});
  return { type: RTM_DELLINK, flags: 0, body: body.finish(), what: `delete ${link.name}` };
}

/** Appends struct ifinfomsg and the attributes that all kinds of links have. */
export function writeLink(into: Writer, index: number, settings: LinkChange): Writer {
  const { name, mtu, mac, master, netnsFd, txQueueLength } = settings;
  const { up, promiscuous, allMulticast } = settings;
  const flags = (up ? IFF_UP : 0) | (promiscuous ? IFF_PROMISC : 0) | (allMulticast ? IFF_ALLMULTI : 0);
  const mask =
    (up === undefined ? 0 : IFF_UP) |
    (promiscuous === undefined ? 0 : IFF_PROMISC) |
    (allMulticast === undefined ? 0 : IFF_ALLMULTI);
  into.u32(0).u32(index).u32(flags).u32(mask);
  if (name !== undefined) into.textAttribute(IFLA_IFNAME, name);
  if (mtu !== undefined) into.u32Attribute(IFLA_MTU, mtu);
  if (mac) into.bytesAttribute(IFLA_ADDRESS, mac.bytes);
  if (master !== undefined) into.u32Attribute(IFLA_MASTER, master);
  if (netnsFd !== undefined) into.u32Attribute(IFLA_NET_NS_FD, netnsFd);
  if (txQueueLength !== undefined) into.u32Attribute(IFLA_TXQLEN, txQueueLength);
  return into;
}

function writeKind(into: Writer, { kind, write }: LinkKind): void {
  into.nest(IFLA_LINKINFO, (info) => {
    info.textAttribute(IFLA_INFO_KIND, kind);
    if (write) info.nest(IFLA_INFO_DATA, write);
  });
}

function linkQuery({ index, name }: LinkRef, what: string): Query<Link> {
  const body = new Writer().u32(0).u32(index).zeros(8);
  body.u32Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (index === 0) body.textAttribute(name.length > NAME_LENGTH ? IFLA_ALT_IFNAME : IFLA_IFNAME, name);
  return { type: RTM_GETLINK, body: body.finish(), what: `look up link ${what}`, decode: decodeLink };
}

/** Reads RTM_NEWLINK; undefined for other messages. */
export function decodeLink(body: Uint8Array, type: number): Link | undefined {
  if (type !== RTM_NEWLINK) return undefined;
  const reader = new Reader(body);
  const attributes = reader.attributes(HEADER);
  const info = attributes.get(IFLA_LINKINFO)?.attributes() ?? NO_ATTRIBUTES;
  const mac = attributes.get(IFLA_ADDRESS);
  return {
    index: reader.u32(4),
    name: attributes.get(IFLA_IFNAME)?.text() ?? "",
    kind: info.get(IFLA_INFO_KIND)?.text() ?? "",
    flags: reader.u32(8),
    mtu: attributes.get(IFLA_MTU)?.u32() ?? 0,
    // Tunnels have 4 or 16 bytes here, which are an IP address.
    mac: mac && [6, 8, 20].includes(mac.length) ? new MacAddress(mac.bytes) : undefined,
    master: attributes.get(IFLA_MASTER)?.u32() ?? 0,
    lower: attributes.get(IFLA_LINK)?.u32() ?? 0,
    lowerNamespace: attributes.get(IFLA_LINK_NETNSID)?.i32(),
    alias: attributes.get(IFLA_IFALIAS)?.text() ?? "",
    txQueueLength: attributes.get(IFLA_TXQLEN)?.u32() ?? 0,
    masterKind: info.get(IFLA_INFO_SLAVE_KIND)?.text() ?? "",
    kindData: info.get(IFLA_INFO_DATA),
    portData: info.get(IFLA_INFO_SLAVE_DATA),
    attributes,
  };
}

/** One change in words: "mtu 1400". */
function described(key: string, value: unknown): string {
  if (value === undefined) return "";
  if (key === "netnsFd") return "namespace";
  return key === "kind" ? `${(value as LinkKind).kind} options` : `${key} ${value}`;
}
