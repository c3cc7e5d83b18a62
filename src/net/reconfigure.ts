import { errno } from "../host/errno.ts";
import { type Address, addAddress, IFA_F_NODAD, removeAddress } from "../netlink/address.ts";
import { setIpv4 } from "../netlink/devconf.ts";
import { IFF_UP, type Link } from "../netlink/link.ts";
import {
  appendRoute,
  type Route as KernelRoute,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  removeRoute,
  replaceRoute,
} from "../netlink/route.ts";
import { type LinkRoute, listRoutes } from "../netlink/route-list.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { IpConfig, Result } from "../spec/result.ts";
import { kernelRoute, putBehind, withBroadcast, wouldJoin } from "./configure.ts";
import type { Namespace } from "./namespace.ts";

/** A server's message has no more than some hundred; each is compared with each. */
const MOST_ROUTES = 2000;

/** What an interface has been given, or is to have. */
export type Layer3 = Pick<Result, "ips" | "routes">;

/**
 * Gives an interface, which `configureInterface` has configured by `before`, what `after` says: new addresses first, then
 * the routes, and old addresses go last. What both say is left alone; so is what others have added or removed
 * meanwhile. A link that is down gets no routes: the kernel has taken the others away too.
 */
export function reconfigure(netns: Namespace, link: Link, before: Layer3, after: Layer3): void {
  const { route } = netns;
  const [former, wished] = [before.ips ?? [], after.ips ?? []];
  const stale = addressesOf(former.filter((ip) => !wished.some(isSameAddress(ip))));
  const fresh = addressesOf(wished.filter((ip) => !former.some(isSameAddress(ip))));
  // IPv6 has no address twice, not with another prefix length either.
  const inTheWay = stale.filter(
    ({ cidr }) => cidr.family === 6 && fresh.some((one) => one.cidr.ip.equals(cidr.ip)),
  );
  removeAddresses(netns, link, inTheWay);
  // The kernel makes an address in the network of another one that other's dependant.
  if (stale.some(isIpv4) && fresh.some(isIpv4)) route.execute([setIpv4(link, { promoteSecondaries: true })]);
  route.execute(
    fresh.map((address) => addAddress(link, address)),
    errno.EEXIST,
  );
  try {
    reroute(netns, link, routesOf(before), routesOf(after));
  } finally {
    removeAddresses(
      netns,
      link,
      stale.filter((address) => !inTheWay.includes(address)),
    );
  }
}

function isSameAddress({ address }: IpConfig): (other: IpConfig) => boolean {
  return (other) => other.address.equals(address);
}

/** As `configureInterface` sets them. */
function addressesOf(ips: readonly IpConfig[]): Address[] {
  return ips.map(({ address }) => ({
    ...withBroadcast(address),
    flags: address.family === 6 ? IFA_F_NODAD : 0,
  }));
}

function isIpv4({ cidr }: Address): boolean {
  return cidr.family === 4;
}

function removeAddresses({ route }: Namespace, link: Link, addresses: readonly Address[]): void {
  route.execute(
    addresses.map((address) => removeAddress(link, address)),
    errno.EADDRNOTAVAIL,
  );
}

function routesOf({ routes = [], ips = [] }: Layer3): KernelRoute[] {
  return routes.map((route) => kernelRoute(route, ips));
}

/** Each new route takes the place of the old one to the same destination, so that its rank among others' stays. */
function reroute(
  netns: Namespace,
  link: Link,
  former: readonly KernelRoute[],
  wished: readonly KernelRoute[],
): void {
  const key = (route: KernelRoute) => JSON.stringify(route);
  const [formerKeys, wishedKeys] = [new Set(former.map(key)), new Set(wished.map(key))];
  const stale = former.filter((route) => !wishedKeys.has(key(route)));
  const fresh = wished.filter((route) => !formerKeys.has(key(route)));
  if (stale.length === 0 && fresh.length === 0) return;
  const { route } = netns;
  const present = routesTo(route, [...stale, ...fresh]);
  const removed = new Set(stale.flatMap((one) => present.find(isRoute(link, one)) ?? []));
  if (link.flags & IFF_UP)
    for (const wish of fresh) {
      if (present.some(isRoute(link, wish))) continue;
      const old = [...removed].find((one) => isRank(one, wish) && isAlone(one, present));
      if (old) {
        route.execute([replaceRoute(link, { ...wish, priority: old.priority })]);
        removed.delete(old);
      } else if (wouldJoin(wish)) putBehind(netns, link, wish);
      else route.attempt(appendRoute(link, wish), errno.EEXIST);
    }
  route.execute(
    [...removed].map((one) => removeRoute(link, one)),
    errno.ESRCH,
  );
}

/** All routes to these destinations. A container may have as many others as it likes, and even of these too many. */
function routesTo(socket: NetlinkSocket, routes: readonly KernelRoute[]): LinkRoute[] {
  const destinations = new Set(routes.map(({ dst }) => String(dst)));
  const lengths = new Set(routes.map(({ dst }) => dst.prefixLength));
  const all = listRoutes({ type: RTN_UNICAST });
  let found = 0;
  const decode = (body: Uint8Array, type: number) => {
    // struct rtmsg: the prefix length stands behind the family.
    if (!lengths.has(body[1]!)) return undefined;
    const one = all.decode(body, type);
    return one && destinations.has(String(one.dst)) && found++ < MOST_ROUTES ? one : undefined;
  };
  return socket.dump({ ...all, decode });
}

/** Whether a route of the kernel is this one by this link. */
function isRoute(link: Link, wanted: KernelRoute): (present: LinkRoute) => boolean {
  return (present) =>
    present.link === link.index &&
    isRank(present, wanted) &&
    (wanted.gateway ? present.gateway?.equals(wanted.gateway) === true : present.gateway === undefined);
}

/** Whether it has this destination, table and metric. Which one IPv6 routes have without a wish is not known. */
function isRank(present: LinkRoute, { dst, table = RT_TABLE_MAIN, priority = 0 }: KernelRoute): boolean {
  const anyMetric = priority === 0 && dst.family === 6;
  return present.dst.equals(dst) && present.table === table && (anyMetric || present.priority === priority);
}

/**
 * Whether the kernel would replace this one: of IPv4 routes with the same destination, table and metric it takes the first;
 * of IPv6 routes all.
 */
function isAlone(one: LinkRoute, present: readonly LinkRoute[]): boolean {
  const group = present.filter((other) => isRank(other, one) && other.priority === one.priority);
  return group[0] === one && (one.dst.family === 4 || group.length === 1);
}
