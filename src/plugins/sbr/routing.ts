import type { Namespace } from "../../net/namespace.ts";
import { type Link, listLinks } from "../../netlink/link.ts";
import { readVrfTable } from "../../netlink/links/vrf.ts";
import { listWholeRoutes, partBy, type WholeRoute } from "../../netlink/route-copy.ts";
import { listRules, type Rule } from "../../netlink/rule.ts";
import type { IpConfig } from "../../spec/result.ts";
import { FIRST_TABLE, isSourceRule } from "./rules.ts";

/** What decides on the way of packets in a namespace. */
export interface Routing {
  readonly links: readonly Link[];
  readonly rules: readonly Rule[];
  /** Of all tables. */
  readonly routes: readonly WholeRoute[];
}

export function readRouting({ route }: Namespace): Routing {
  return {
    links: route.dump(listLinks()),
    rules: route.dump(listRules()),
    routes: route.dump(listWholeRoutes()),
  };
}

/** The table of the VRF that a link is in; undefined if it is in none. */
export function vrfTableOf({ links }: Routing, { master }: Link): number | undefined {
  const vrf = links.find(({ index }) => index === master);
  return vrf && readVrfTable(vrf);
}

/** The table of one address. */
export interface SourceTable {
  readonly ip: IpConfig;
  readonly id: number;
  /** The routes that it had before; none if nobody used it. */
  readonly former: readonly WholeRoute[];
}

/** The tables of addresses of a link: those that they have, else the first free ones. */
export function tablesFor(ips: readonly IpConfig[], link: Link, routing: Routing): SourceTable[] {
  const { links, rules, routes } = routing;
  const taken = new Set([...rules, ...routes].map(({ table }) => table));
  for (const each of links) taken.add(readVrfTable(each));
  let next = FIRST_TABLE;
  return ips.map((ip) => {
    const id = tableOf(ip, link, routing);
    if (id !== undefined) return { ip, id, former: routes.filter(({ table }) => table === id) };
    while (taken.has(next)) next++;
    return { ip, id: next++, former: [] };
  });
}

/** The table that a rule leads an address of a link to, if it has one; one without routes counts for nobody. */
export function tableOf({ address }: IpConfig, link: Link, { rules, routes }: Routing): number | undefined {
  const found = rules.find(
    (rule) =>
      isSourceRule(rule) &&
      rule.table >= FIRST_TABLE &&
      rule.from.equals(address.host) &&
      routes.some((route) => route.table === rule.table && partBy(link.index, route)),
  );
  return found?.table;
}
