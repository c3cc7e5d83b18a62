import { type Cidr, everywhere } from "../address/cidr.ts";
import { errno } from "../host/errno.ts";
import {
  type Address,
  addAddress,
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_TENTATIVE,
  listAddresses,
} from "../netlink/address.ts";
import { setIpv4 } from "../netlink/devconf.ts";
import { type LinkRef, setLink } from "../netlink/link.ts";
import type { Request } from "../netlink/message.ts";
import { addRoute, appendRoute, type Route as KernelRoute } from "../netlink/route.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { IpConfig, Route } from "../spec/result.ts";
import type { Namespace } from "./namespace.ts";
import { ensureSysctl, preferSysctl } from "./sysctl.ts";

const DAD_TIMEOUT_MS = 10_000;
const DAD_NAP_MS = 20;
/** The metric of routes for which none is told (linux/ipv6_route.h). */
const IP6_RT_PRIO_USER = 1024;
/** How many routes of others one may be put behind. */
const MOST_BEFORE = 100;

export interface InterfaceWish {
  readonly ips: readonly IpConfig[];
  /** Those without `gw` go by the gateway of the first address of their family. */
  readonly routes: readonly Route[];
  /** Routes that come before those: to reach gateways. */
  readonly linkRoutes?: Iterable<KernelRoute>;
  /** No route to the subnet comes with an address. */
  readonly noSubnetRoutes?: boolean;
  /** Duplicate address detection for IPv6: addresses are usable after a second or two. */
  readonly detectDuplicates?: boolean;
}

/** Gives a container's interface its addresses, brings it up, tells the neighbours, and sets its routes. */
export function configureInterface(netns: Namespace, link: LinkRef, wish: InterfaceWish): void {
  const v6 = wish.ips.some(({ address }) => address.family === 6);
  if (v6) enableIpv6(netns, link.name, wish.detectDuplicates ?? false);
  const routes = wishedRoutes(wish);
  netns.route.execute(configuration(link, wish, routes));
  for (const route of routes.filter(wouldJoin)) putBehind(netns, link, route);
  if (v6 && wish.detectDuplicates) awaitAddresses(netns, link);
}

/**
 * In the order that the kernel wants: IPv4 addresses before the link is up, so that it announces them; IPv6 ones
 * after, since an address of a link that is down brings no route.
 */
function configuration(link: LinkRef, wish: InterfaceWish, routes: readonly KernelRoute[]): Request[] {
  const { ips, noSubnetRoutes, detectDuplicates } = wish;
  const addresses = (family: 4 | 6, flags: number) =>
    ips
      .filter(({ address }) => address.family === family)
      .map(({ address }) =>
        addAddress(link, {
          ...withBroadcast(address),
          flags: flags | (noSubnetRoutes ? IFA_F_NOPREFIXROUTE : 0),
        }),
      );
  return [
    setIpv4(link, { arpNotify: true }),
    ...addresses(4, 0),
    setLink(link, { up: true }),
    ...addresses(6, detectDuplicates ? 0 : IFA_F_NODAD),
    // Another interface of the container may have a route to the same destination, and keeps it.
    ...routes.filter((route) => !wouldJoin(route)).map((route) => appendRoute(link, route)),
  ];
}

/** A default route may be wished for twice: by IPAM, and by the plugin. The kernel refuses the second. */
function wishedRoutes({ ips, routes, linkRoutes = [] }: InterfaceWish): readonly KernelRoute[] {
  const all = [...linkRoutes, ...routes.map((route) => kernelRoute(route, ips))];
  if (all.length < 2) return all;
  return [...new Map(all.map((route) => [JSON.stringify(route), route])).values()];
}

/** Of IPv6 routes by gateways to one destination the kernel makes one with several ways, whatever their links. */
export function wouldJoin({ dst, gateway, priority }: KernelRoute): boolean {
  return dst.family === 6 && gateway !== undefined && !priority;
}

/** Adds a route, with a higher metric than those that another interface has to the same destination. */
export function putBehind({ route }: Namespace, link: LinkRef, wished: KernelRoute): void {
  const add = (priority: number) => addRoute(link, { ...wished, priority });
  // A container may have taken as many as it likes.
  for (let priority = IP6_RT_PRIO_USER; priority < IP6_RT_PRIO_USER + MOST_BEFORE; priority++)
    if (route.attempt(add(priority), errno.EEXIST)) return;
  route.execute([add(IP6_RT_PRIO_USER + MOST_BEFORE)]);
}

/** An IPv4 address with the broadcast address of its network, which the kernel sets for nobody. */
export function withBroadcast(cidr: Cidr): Address {
  return cidr.family === 4 && cidr.prefixLength < 31 ? { cidr, broadcast: cidr.lastAddress } : { cidr };
}

/** A route of a result as the kernel's. */
export function kernelRoute(
  { dst, gw, mtu, advmss, priority, table, scope }: Route,
  ips: readonly IpConfig[],
): KernelRoute {
  const gateway = gw ?? ips.find((ip) => ip.gateway?.family === dst.family)?.gateway;
  // A route of scope link has no gateway, even where a default could be found; nor has one by 0.0.0.0, as DHCP says it
  // (RFC 3442).
  const direct = gw ? gw.equals(everywhere(gw.family).ip) : scope !== undefined && scope >= 253;
  return {
    dst: dst.network,
    gateway: direct ? undefined : gateway,
    mtu,
    advmss,
    priority,
    // RT_TABLE_UNSPEC: the kernel takes the main table.
    table: table || undefined,
    scope,
  };
}

/** Container engines disable IPv6 in their namespaces; who asks for an address wants it. */
function enableIpv6(netns: Namespace, ifName: string, detectDuplicates: boolean): void {
  for (const name of ["lo", ifName]) ensureSysctl(netns, `net/ipv6/conf/${name}/disable_ipv6`, "0");
  const prefer = (name: string, value: string) =>
    preferSysctl(netns, `net/ipv6/conf/${ifName}/${name}`, value);
  prefer("keep_addr_on_down", "1");
  prefer("accept_dad", detectDuplicates ? "1" : "0");
  if (detectDuplicates) prefer("enhanced_dad", "1");
  prefer("ndisc_notify", "1");
}

function awaitAddresses({ route, host }: Namespace, link: LinkRef): void {
  for (let waited = 0; waited < DAD_TIMEOUT_MS; waited += DAD_NAP_MS) {
    const addresses = route.dump(listAddresses({ link: link.index, family: 6 }));
    const duplicate = addresses.find(({ flags }) => flags & IFA_F_DADFAILED);
    if (duplicate)
      throw new CniError(
        ErrorCode.Plugin,
        `address ${duplicate.cidr} is in use by another host`,
        "Duplicate address detection found its owner on the network.",
      );
    if (!addresses.some(({ flags }) => flags & IFA_F_TENTATIVE)) return;
    host.sleep(DAD_NAP_MS);
  }
  throw new CniError(
    ErrorCode.TryAgainLater,
    `the addresses of ${link.name} are still tentative after ${DAD_TIMEOUT_MS / 1000} s`,
    "Duplicate address detection does not end: is the link up?",
  );
}

/** Whether a route leads everywhere. */
export function isDefault({ dst }: Route): boolean {
  return dst.equals(everywhere(dst.family));
}
