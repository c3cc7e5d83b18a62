import type { Cidr } from "../address/cidr.ts";
import type { MacAddress } from "../address/mac.ts";
import { errno } from "../host/errno.ts";
import type { Host } from "../host/host.ts";
import { type Address, addAddress, IFA_F_NODAD, listAddresses, removeAddress } from "../netlink/address.ts";
import {
  createLink,
  deleteLink,
  getLink,
  IFF_PROMISC,
  IFF_UP,
  type Link,
  listLinks,
  setLink,
} from "../netlink/link.ts";
import { bridge, readBridge } from "../netlink/links/bridge.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { allOrNothing } from "./all-or-nothing.ts";
import { withBroadcast } from "./configure.ts";
import type { Namespace } from "./namespace.ts";
import { preferSysctl } from "./sysctl.ts";
import { randomMac, requireLink } from "./veth.ts";

export interface BridgeWish {
  readonly name: string;
  /** Bytes, for a bridge that has to be made. */
  readonly mtu?: number | undefined;
  readonly promiscuous?: boolean;
  readonly vlanFiltering?: boolean;
}

export interface EnsuredBridge {
  readonly link: Link;
  /** Removes the bridge if it was made here and nobody has joined it. */
  remove(): void;
}

/** The bridge of that name, up, and made if it was not there. Code 7 if the name is that of another kind of link. */
export function ensureBridge(netns: Namespace, wish: BridgeWish): EnsuredBridge {
  const existing = netns.route.query(getLink(wish.name));
  if (existing !== undefined) return { link: adjusted(netns, existing, wish), remove() {} };
  // A MAC of its own: otherwise it takes the lowest of its ports', and changes as they come and go.
  const mac = randomMac(netns.host);
  // Until the kernel says that it is not so: its answer may get lost.
  let made = true;
  const remove = () => {
    if (made) removeIfUnused(netns, wish.name, mac);
  };
  const make = (): Link => {
    made = create(netns, wish, mac);
    if (made) netns.route.execute([setLink({ index: 0, name: wish.name }, { alias: ALIAS })]);
    // Its addresses and routes are ours, not those of a router that advertises itself.
    if (made) preferSysctl(netns, `net/ipv6/conf/${wish.name}/accept_ra`, "0");
    return adjusted(netns, requireLink(netns, wish.name), wish);
  };
  return { link: allOrNothing(make, remove), remove };
}

/** Tells in `ip link` who made a bridge. */
const ALIAS = "cni:bridge";

/** False if somebody else was faster. */
function create({ route }: Namespace, { name, mtu, vlanFiltering }: BridgeWish, mac: MacAddress): boolean {
  const kind = bridge({ vlanFiltering: vlanFiltering || undefined });
  return route.attempt(createLink(kind, { name, mtu, mac, up: true }), errno.EEXIST);
}

/** Whether the bridge keeps its MAC for certain. What was made elsewhere may have none of its own. */
export function keepsMac({ alias }: Link): boolean {
  return alias === ALIAS;
}

/** The link, after what it lacks of the wish was set. */
function adjusted({ route }: Namespace, link: Link, { promiscuous, vlanFiltering }: BridgeWish): Link {
  if (link.kind !== "bridge")
    throw new CniError(
      ErrorCode.InvalidConfig,
      `"${link.name}" already exists but is not a bridge`,
      `It is ${link.kind || "a network card"}: choose another "bridge".`,
    );
  const up = (link.flags & IFF_UP) === 0 || undefined;
  const promisc = (promiscuous && (link.flags & IFF_PROMISC) === 0) || undefined;
  const kind =
    vlanFiltering && readBridge(link)?.vlanFiltering === false ? bridge({ vlanFiltering: true }) : undefined;
  if (up || promisc || kind) route.execute([setLink(link, { up, promiscuous: promisc, kind })]);
  return link;
}

/** Deletes the bridge of that name if it is the one that was made with this MAC, and has no ports. */
function removeIfUnused({ route }: Namespace, name: string, mac: MacAddress): void {
  const link = route.query(getLink(name));
  if (link?.mac?.equals(mac) && route.dump(listLinks({ master: link.index })).length === 0)
    route.execute([deleteLink(link)]);
}

/**
 * Gives a link the address of a gateway. Another IPv4 address, or an IPv6 one of an overlapping network, is in the
 * way: it is replaced if `force` is set, else that is an error. Gives a function that takes the address away again,
 * unless others rely on it by now, and puts back what it replaced.
 */
export function ensureGateway(netns: Namespace, link: Link, gateway: Cidr, force: boolean): () => void {
  const { route } = netns;
  const address = { ...withBroadcast(gateway), flags: noDad(gateway) };
  const replaced: Address[] = [];
  let added = false;
  const remove = () => {
    const ports = added ? route.dump(listLinks({ master: link.index })).length : 0;
    if (added && ports <= 1) route.execute([removeAddress(link, address)]);
    for (const old of replaced) tryAddress(netns, link, old);
  };
  allOrNothing(() => {
    // Nearly always it is there, and to try is cheaper than to list. IPv6 says so for another prefix length too.
    if (gateway.family === 4) {
      added = tryAddress(netns, link, address);
      if (!added) return;
    }
    const present = route.dump(listAddresses({ link: link.index, family: gateway.family }));
    if (!added && present.some(({ cidr }) => cidr.equals(gateway))) return;
    const inTheWay = present.filter(
      ({ cidr }) => !cidr.equals(gateway) && (gateway.family === 4 || overlap(cidr, gateway)),
    );
    if (inTheWay.length > 0) {
      if (!force) throw conflict(link, gateway, inTheWay);
      // Ours first: as a secondary address it would go with the one that it replaces.
      if (added) route.execute([removeAddress(link, address)]);
      added = false;
      // For the same reason the last first.
      for (const { cidr, broadcast } of inTheWay.reverse()) {
        route.execute([removeAddress(link, { cidr })]);
        replaced.unshift({ cidr, broadcast, flags: noDad(cidr) });
      }
    }
    added ||= tryAddress(netns, link, address);
    route.execute([setLink(link, { mac: lastingMac(netns.host, link) })]);
  }, remove);
  return remove;
}

/** Its own MAC, set, is one that a bridge keeps when ports come and go. One that lost its last port may have none. */
function lastingMac(host: Host, { mac }: Link): MacAddress {
  return mac?.bytes.some((byte) => byte !== 0) ? mac : randomMac(host);
}

function noDad({ family }: Cidr): number {
  return family === 6 ? IFA_F_NODAD : 0;
}

function conflict(link: Link, gateway: Cidr, inTheWay: readonly Address[]): CniError {
  return new CniError(
    ErrorCode.InvalidConfig,
    `"${link.name}" already has an IP address different from ${gateway}`,
    `It has ${inTheWay.map(({ cidr }) => cidr).join(", ")}. Set "forceAddress" to replace it, or correct "gateway".`,
  );
}

/** False if the link has the address. */
function tryAddress({ route }: Namespace, link: Link, address: Address): boolean {
  return route.attempt(addAddress(link, address), errno.EEXIST);
}

function overlap(a: Cidr, b: Cidr): boolean {
  return a.contains(b.ip) || b.contains(a.ip);
}
