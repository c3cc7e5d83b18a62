import { errno } from "../../host/errno.ts";
import { gatewaysFirst, routesBy } from "../../net/link-routes.ts";
import type { Namespace } from "../../net/namespace.ts";
import type { Link } from "../../netlink/link.ts";
import { RT_TABLE_MAIN } from "../../netlink/route.ts";
import { copyRoute, partBy, removeCopy, type WholeRoute } from "../../netlink/route-copy.ts";
import { type Routing, vrfTableOf } from "./routing.ts";
import { PROTOCOL } from "./rules.ts";

/** The kernel refuses a route whose address, or whose way to the gateway, has gone, and all of a link that is down. */
const POINTLESS = [errno.EINVAL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN];

/** Puts a link's routes back from tables to where ADD took them, if they make sense there still; what ADD made goes. */
export function putBack(
  { route }: Namespace,
  link: Link,
  tables: ReadonlySet<number>,
  routing: Routing,
): void {
  const to = vrfTableOf(routing, link) ?? RT_TABLE_MAIN;
  const own = routing.routes.flatMap((each) => partBy(link.index, each) ?? []);
  const inTables = own.filter(({ table }) => tables.has(table));
  const made = own.filter(({ table, protocol }) => table === to && protocol === PROTOCOL);
  const found = routesBy(link.index, inTables).filter(({ protocol }) => protocol !== PROTOCOL);
  const copies = gatewaysFirst(found).map((each) => copyRoute(each, { table: to }));
  const without = (routes: readonly WholeRoute[]) => routes.map((each) => removeCopy(each));
  // Several tables may have the same route, and those without gateway may have stayed.
  route.execute([...without(made), ...copies], errno.ESRCH, errno.EEXIST, ...POINTLESS);
  route.execute(without(inTables), errno.ESRCH);
}
