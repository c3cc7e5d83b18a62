import { errno } from "../../host/errno.ts";
import { gatewaysFirst, routesBy } from "../../net/link-routes.ts";
import type { Namespace } from "../../net/namespace.ts";
import { withNamespaceLock } from "../../net/namespace-lock.ts";
import { RT_TABLE_MAIN } from "../../netlink/route.ts";
import { copyRoute, listWholeRoutes, removeCopy } from "../../netlink/route-copy.ts";
import { listRules } from "../../netlink/rule.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { IpConfig, Result } from "../../spec/result.ts";
import { addressesOf, checkConfig, requireResult, type SbrConfig } from "./config.ts";
import { sourceHints } from "./hints.ts";
import { readRouting, type SourceTable, tablesFor, vrfTableOf } from "./routing.ts";
import { addRules, sourceRule } from "./rules.ts";
import { fillTable, routesOf } from "./table.ts";

/** Routes what the interface's addresses send by tables of their own. */
export function add(request: AddRequest<SbrConfig>, undo: Undo): Result {
  const { config, netns, ifName } = request;
  checkConfig(config);
  const result = requireResult(request.prevResult, ifName);
  const ips = addressesOf(result, ifName);
  withNamespaceLock(netns, () => {
    if (config.table === undefined) return giveTables(request, ips, undo);
    const rules = ips.map(({ address }) => sourceRule(address, config.table!));
    netns.route.execute(addRules(netns, rules, netns.route.dump(listRules()), undo));
  });
  return result;
}

/** A table for each address, with the interface's routes, which leave the one where they were. */
function giveTables(
  { config, netns, ifName }: AddRequest<SbrConfig>,
  ips: readonly IpConfig[],
  undo: Undo,
): void {
  const routing = readRouting(netns);
  const link = routing.links.find(({ name }) => name === ifName);
  if (link === undefined) throw linkNotFound(netns, ifName);
  const vrfTable = vrfTableOf(routing, link);
  const before = vrfTable ?? RT_TABLE_MAIN;
  const tables = tablesFor(ips, link, routing);
  const routes = routesBy(link.index, routing.routes).filter(
    ({ table, dst }) => table === before && ips.some(({ address }) => address.family === dst.family),
  );
  const { moved, hints, withoutHints } = config.addSourceHints
    ? sourceHints(link, before, ips, routes)
    : { moved: routes, hints: [], withoutHints: [] };

  undo.add("put the tables back", () => refill(netns, tables));
  const rules = tables.map(({ ip, id }) => sourceRule(ip.address, id));
  netns.route.execute([
    ...tables.flatMap((table) =>
      fillTable(link, table, routesOf(table, tables, routes), { config, vrfTable }),
    ),
    ...addRules(netns, rules, routing.rules, undo),
  ]);
  undo.add("put the routes back", () => {
    const back = moved.map((route) => copyRoute(route));
    netns.route.execute([...withoutHints, ...back], errno.ESRCH, errno.EEXIST);
  });
  netns.route.execute([...moved.map((route) => removeCopy(route)), ...hints]);
}

/** Gives tables back what they had before. */
function refill({ route }: Namespace, tables: readonly SourceTable[]): void {
  const present = route.dump(listWholeRoutes()).filter(({ table }) => tables.some(({ id }) => id === table));
  const former = gatewaysFirst(tables.flatMap((table) => table.former));
  const requests = [...present.map((each) => removeCopy(each)), ...former.map((each) => copyRoute(each))];
  route.execute(requests, errno.ESRCH, errno.EEXIST);
}

function linkNotFound({ path }: Namespace, ifName: string): CniError {
  const details = `It was looked for in ${path}.`;
  return new CniError(ErrorCode.Plugin, `Cannot find network interface ${ifName}`, details);
}
