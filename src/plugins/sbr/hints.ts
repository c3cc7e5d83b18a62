import type { Cidr } from "../../address/cidr.ts";
import type { LinkRef } from "../../netlink/link.ts";
import type { Request } from "../../netlink/message.ts";
import { appendRoute, RT_SCOPE_LINK, removeRoute } from "../../netlink/route.ts";
import { copyRoute, removeCopy, type WholeRoute } from "../../netlink/route-copy.ts";
import type { IpConfig } from "../../spec/result.ts";
import { PROTOCOL } from "./rules.ts";

export interface SourceHints {
  /** The routes that leave the table. */
  readonly moved: readonly WholeRoute[];
  /** What comes in their place. */
  readonly hints: readonly Request[];
  /** The opposite. */
  readonly withoutHints: readonly Request[];
}

/**
 * What stays in a link's own table for those who name no source address: the routes without gateway; those to the
 * addresses' networks, by whatever way, say which source to take.
 */
export function sourceHints(
  link: LinkRef,
  table: number,
  ips: readonly IpConfig[],
  routes: readonly WholeRoute[],
): SourceHints {
  const hints: Request[] = [];
  const withoutHints: Request[] = [];
  const stays = new Set(routes.filter(({ gateway, nextHops }) => !gateway && !nextHops));
  for (const { network, ip: source } of firstOfEachNetwork(ips)) {
    const present = routes.find(({ dst }) => dst.equals(network));
    if (present?.source) stays.add(present);
    else if (present) {
      stays.delete(present);
      hints.push(copyRoute(present, { source, protocol: PROTOCOL }));
      withoutHints.push(removeCopy(present, { source, protocol: PROTOCOL }));
    } else {
      const route = { dst: network, source, scope: RT_SCOPE_LINK, table, protocol: PROTOCOL };
      hints.push(appendRoute(link, route));
      withoutHints.push(removeRoute(link, route));
    }
  }
  return { moved: routes.filter((route) => !stays.has(route)), hints, withoutHints };
}

/** Of several addresses of a network, the first is the source. A single address is no network. */
function firstOfEachNetwork(ips: readonly IpConfig[]): Iterable<Cidr> {
  const networks = new Map<string, Cidr>();
  for (const { address } of ips)
    if (!address.network.equals(address.host) && !networks.has(`${address.network}`))
      networks.set(`${address.network}`, address);
  return networks.values();
}
