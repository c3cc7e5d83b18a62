import type { Cidr } from "../address/cidr.ts";
import { listAddresses } from "../netlink/address.ts";
import { getLink, IFF_UP, type Link } from "../netlink/link.ts";
import { RT_TABLE_LOCAL, RT_TABLE_MAIN } from "../netlink/route.ts";
import { type LinkRoute, listRoutes } from "../netlink/route-list.ts";
import type { Interface, IpConfig, Result, Route } from "../spec/result.ts";
import { isDefault, kernelRoute } from "./configure.ts";
import { damaged } from "./damaged.ts";
import type { Namespace } from "./namespace.ts";

/** The link that a result's interface describes: there, of this kind (of any without), with that MAC. Code 100 if not. */
export function verifyLink(
  { route, path }: Namespace,
  kind: string | undefined,
  { name, mac }: Interface,
): Link {
  const where = path || "the host";
  const link = route.query(getLink(name));
  if (link === undefined) throw damaged(`interface ${name} is missing in ${where}`);
  if (kind !== undefined && link.kind !== kind)
    throw damaged(`interface ${name} is ${link.kind || "a network card"}, not ${kind}`);
  if (mac !== undefined && mac.toLowerCase() !== `${link.mac}`)
    throw damaged(`interface ${name} has MAC ${link.mac}, not ${mac}`);
  return link;
}

export function verifyUp({ flags, name }: Link): void {
  if ((flags & IFF_UP) === 0) throw damaged(`interface ${name} is down`);
}

/** The addresses and routes of a result, as far as they belong to this interface of the namespace. */
export function verifyLayer3(netns: Namespace, link: Link, result: Result): void {
  const ips = ipsOf(result, link.name, netns.path);
  verifyAddresses(
    netns,
    link,
    ips.map(({ address }) => address),
  );
  verifyRoutes(netns, result.routes ?? [], ips);
}

/** The interface of a result that is the container's by this name. */
export function containerInterface({ interfaces = [] }: Result, ifName: string, sandbox: string): Interface {
  const found = interfaces.find((candidate) => candidate.name === ifName && candidate.sandbox);
  if (found === undefined)
    throw damaged(
      `prevResult has no interface ${ifName} in a container`,
      "CHECK needs the result of ADD as prevResult.",
    );
  if (found.sandbox !== sandbox)
    throw damaged(
      `prevResult has ${ifName} in ${found.sandbox}, but CNI_NETNS is ${sandbox}`,
      "CHECK must be told the same namespace as ADD.",
    );
  return found;
}

/** The addresses of a result that are this interface's, or nobody's. */
export function ipsOf({ ips = [], interfaces = [] }: Result, ifName: string, sandbox: string): IpConfig[] {
  return ips.filter((ip) => {
    const owner = ip.interface === undefined ? undefined : interfaces[ip.interface];
    return owner === undefined || (owner.name === ifName && owner.sandbox === sandbox);
  });
}

export function verifyAddresses({ route }: Namespace, link: Link, wanted: readonly Cidr[]): void {
  const present = route.dump(listAddresses({ link: link.index }));
  for (const address of wanted)
    if (!present.some(({ cidr }) => cidr.equals(address)))
      throw damaged(`address ${address} is missing on ${link.name}`);
}

/** Routes as `configureInterface` sets them: those without `gw` go by the gateways of `ips`. */
export function verifyRoutes(
  { route, path }: Namespace,
  wanted: readonly Route[],
  ips: readonly IpConfig[] = [],
): void {
  if (wanted.length === 0) return;
  const present = route.dump(listRoutes());
  for (const one of wanted)
    if (!present.some((candidate) => isSameRoute(candidate, one, ips)))
      throw damaged(
        `route to ${one.dst}${one.gw ? ` via ${one.gw}` : ""} is missing in ${path || "the host"}`,
      );
}

/**
 * Only what the result says is compared: later plugins and the kernel may have added to it. Plugins as sbr and vrf move
 * routes into tables of theirs, and may choose a gateway where the result names none, and for the default route.
 */
function isSameRoute(present: LinkRoute, wanted: Route, ips: readonly IpConfig[]): boolean {
  const { dst, gateway, table, priority, mtu, advmss } = kernelRoute(wanted, ips);
  const moved = table === undefined && ![RT_TABLE_MAIN, RT_TABLE_LOCAL].includes(present.table);
  return (
    present.dst.equals(dst) &&
    (moved || present.table === (table ?? RT_TABLE_MAIN)) &&
    (gateway === undefined ||
      present.gateway?.equals(gateway) === true ||
      (moved && (wanted.gw === undefined || isDefault(wanted)))) &&
    [
      [priority, present.priority],
      [mtu, present.mtu],
      [advmss, present.advmss],
    ].every(([want, have]) => !want || want === have)
  );
}
