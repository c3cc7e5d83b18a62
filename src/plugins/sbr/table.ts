import { everywhere, parseCidr } from "../../address/cidr.ts";
import { isDefault } from "../../net/configure.ts";
import { gatewaysFirst, sourceFor } from "../../net/link-routes.ts";
import type { LinkRef } from "../../netlink/link.ts";
import type { Request } from "../../netlink/message.ts";
import { appendRoute, type Route, replaceRoute } from "../../netlink/route.ts";
import { copyRoute, replaceByCopy, type WholeRoute } from "../../netlink/route-copy.ts";
import { gatewayOf, type SbrConfig } from "./config.ts";
import type { SourceTable } from "./routing.ts";
import { PROTOCOL } from "./rules.ts";

/** The metric of the routes that the kernel makes for IPv6 addresses (IP6_RT_PRIO_ADDRCONF, net/ip6_route.h). */
const ADDRCONF_PRIORITY = 256;

/**
 * The routes for a table: those with its address as source, or a gateway in its network; those that fit no table so, or
 * have neither, are for all of the family.
 */
export function routesOf(
  table: SourceTable,
  tables: readonly SourceTable[],
  routes: readonly WholeRoute[],
): WholeRoute[] {
  return routes.filter(
    (route) =>
      route.dst.family === table.ip.address.family &&
      (fits(route, table) || !tables.some((other) => fits(route, other))),
  );
}

function fits({ source, gateway, nextHops = [] }: Route, { ip: { address } }: SourceTable): boolean {
  const ends = [source, gateway, ...nextHops.map((hop) => hop.gateway)];
  return ends.some((end) => end !== undefined && address.contains(end));
}

/** Copies routes into a table, and adds the default route, and that to the neighbours' link-local addresses. */
export function fillTable(
  link: LinkRef,
  { ip, id, former }: SourceTable,
  routes: readonly WholeRoute[],
  { config, vrfTable }: { readonly config: SbrConfig; readonly vrfTable: number | undefined },
): Request[] {
  const { family } = ip.address;
  // A configured gateway comes in place of all others.
  const isFixed = config.gateways.some((gateway) => gateway.family === family);
  const kept = isFixed ? routes.filter((route) => !isDefault(route)) : routes;
  const gateway = gatewayOf(config, ip);
  const isNew = former.length === 0;
  const hasDefault = kept.some(isDefault) || (!isFixed && former.some(isDefault));
  const copy = isNew ? copyRoute : replaceByCopy;
  const make = (route: Route) =>
    (isNew ? appendRoute : replaceRoute)(link, { ...route, table: id, protocol: PROTOCOL });
  return [
    ...(family === 6 ? [make({ dst: parseCidr("fe80::/64")!, priority: ADDRCONF_PRIORITY })] : []),
    ...gatewaysFirst(kept).map((route) => copy(route, { table: id, source: sourceFor(route, id, vrfTable) })),
    ...(gateway && !hasDefault ? [make({ dst: everywhere(family), gateway })] : []),
  ];
}
