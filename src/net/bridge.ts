import type { Cidr } from "../address/cidr.ts";
import { MacAddress } from "../address/mac.ts";
import { errno } from "../host/errno.ts";
import type { Host } from "../host/host.ts";
import { type Address, addAddress, IFA_F_NODAD, listAddresses, removeAddress } from "../netlink/address.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
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
import { withBroadcast } from "./configure.ts";
import type { Namespace } from "./namespace.ts";
import { ensureSysctl } from "./sysctl.ts";
import { requireLink } from "./veth.ts";

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
  const made = existing === undefined && create(netns, wish);
  const link = existing ?? requireLink(netns, wish.name);
  if (link.kind !== "bridge")
    throw new CniError(
      ErrorCode.InvalidConfig,
      `"${wish.name}" already exists but is not a bridge`,
      `It is ${link.kind || "a network card"}: choose another "bridge".`,
    );
  adjust(netns, link, wish);
  return { link, remove: () => made && removeIfUnused(netns, link) };
}

/** False if somebody else was faster. */
function create(netns: Namespace, { name, mtu, vlanFiltering }: BridgeWish): boolean {
  try {
    // A MAC of its own: otherwise it takes the lowest of its ports', and changes as they come and go.
    const wish = { name, mtu, mac: randomMac(netns.host), up: true };
    netns.route.execute([createLink(bridge({ vlanFiltering: vlanFiltering || undefined }), wish)]);
  } catch (error) {
    if (isNetlinkErrno(error, errno.EEXIST)) return false;
    throw error;
  }
  // Its addresses and routes are ours, not those of a router that advertises itself.
  if (netns.host.statIfAny("/proc/sys/net/ipv6")) ensureSysctl(netns, `net/ipv6/conf/${name}/accept_ra`, "0");
  return true;
}

function adjust({ route }: Namespace, link: Link, { promiscuous, vlanFiltering }: BridgeWish): void {
  const up = (link.flags & IFF_UP) === 0 || undefined;
  const promisc = (promiscuous && (link.flags & IFF_PROMISC) === 0) || undefined;
  const kind =
    vlanFiltering && readBridge(link)?.vlanFiltering === false ? bridge({ vlanFiltering: true }) : undefined;
  if (up || promisc || kind) route.execute([setLink(link, { up, promiscuous: promisc, kind })]);
}

function removeIfUnused({ route }: Namespace, link: Link): void {
  if (route.dump(listLinks({ master: link.index })).length === 0) route.execute([deleteLink(link)]);
}

/** A random, locally administered unicast address. */
function randomMac(host: Host): MacAddress {
  const bytes = host.random(6);
  bytes[0] = (bytes[0]! & 0xfe) | 0x02;
  return new MacAddress(bytes);
}

/**
 * Gives a link the address of a gateway. Another IPv4 address, or an IPv6 one of an overlapping network, is in the
 * way: it is replaced if `force` is set, else that is an error. Gives a function that takes the address away again.
 */
export function ensureGateway(netns: Namespace, link: Link, gateway: Cidr, force: boolean): () => void {
  const { route } = netns;
  const address = { ...withBroadcast(gateway), flags: gateway.family === 6 ? IFA_F_NODAD : 0 };
  const remove = () => route.execute([removeAddress(link, address)]);
  // Nearly always it is there, and to try is cheaper than to list. IPv6 says so for another prefix length too.
  const added = gateway.family === 4 && tryAddress(netns, link, address);
  if (gateway.family === 4 && !added) return () => {};
  const present = route
    .dump(listAddresses({ link: link.index, family: gateway.family }))
    .map(({ cidr }) => cidr);
  if (!added && present.some((cidr) => cidr.equals(gateway))) return () => {};
  const others = present.filter((cidr) => !cidr.equals(gateway));
  const inTheWay = others.filter((cidr) => gateway.family === 4 || overlap(cidr, gateway));
  if (inTheWay.length > 0) {
    // Ours first: as a secondary address it would go with the one that it replaces.
    if (added) remove();
    if (!force) throw conflict(link, gateway, inTheWay);
    route.execute(inTheWay.map((cidr) => removeAddress(link, { cidr })));
  }
  if (!added || inTheWay.length > 0) tryAddress(netns, link, address);
  // Its own MAC, set, is one that a bridge keeps when ports come and go.
  route.execute([setLink(link, { mac: link.mac })]);
  return remove;
}

function conflict(link: Link, gateway: Cidr, inTheWay: readonly Cidr[]): CniError {
  return new CniError(
    ErrorCode.InvalidConfig,
    `"${link.name}" already has an IP address different from ${gateway}`,
    `It has ${inTheWay.join(", ")}. Set "forceAddress" to replace it, or correct "gateway".`,
  );
}

/** False if the link has the address. */
function tryAddress({ route }: Namespace, link: Link, address: Address): boolean {
  try {
    route.execute([addAddress(link, address)]);
    return true;
  } catch (error) {
    if (isNetlinkErrno(error, errno.EEXIST)) return false;
    throw error;
  }
}

function overlap(a: Cidr, b: Cidr): boolean {
  return a.contains(b.ip) || b.contains(a.ip);
}
