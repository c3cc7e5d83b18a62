import type { Cidr } from "../../address/cidr.ts";
import { withNamespaceLock } from "../../net/namespace-lock.ts";
import { type LinkAddress, listAddresses } from "../../netlink/address.ts";
import type { Link } from "../../netlink/link.ts";
import { partBy } from "../../netlink/route-copy.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { addressesOf, type SbrConfig } from "./config.ts";
import { putBack } from "./put-back.ts";
import { type Routing, readRouting } from "./routing.ts";
import { FIRST_TABLE, isDead, isSourceRule, PROTOCOL, removeRules, type SourceRule } from "./rules.ts";

/** Puts the routes back and removes the rules. */
export function del(request: DelRequest<SbrConfig>, cleanup: Cleanup): void {
  const { netns, config, ifName } = request;
  if (netns === undefined) return;
  cleanup.step("put the routes back and remove the rules", () =>
    withNamespaceLock(netns, () => {
      const routing = readRouting(netns);
      const link = routing.links.find(({ name }) => name === ifName);
      const rules = findRules(request, netns.route.dump(listAddresses()), link, routing);
      // The tables of others' rules are not ours to empty.
      const made = rules.filter(({ protocol }) => protocol === PROTOCOL);
      const tables = new Set(made.map(({ table }) => table));
      if (link && config.table === undefined) putBack(netns, link, tables, routing);
      // Last: they tell the next DEL which tables there are.
      removeRules(netns, rules);
    }),
  );
}

/** Those for the interface's addresses, as they are and as ADD told them, and those that mean nothing any more. */
function findRules(
  { config, ifName, prevResult = {} }: DelRequest<SbrConfig>,
  addresses: readonly LinkAddress[],
  link: Link | undefined,
  routing: Routing,
): SourceRule[] {
  const own: Cidr[] = [
    ...addressesOf(prevResult, ifName).map(({ address }) => address),
    ...addresses.filter((each) => each.link === link?.index).map(({ cidr }) => cidr),
  ];
  /** Another interface may have the same address, in a VRF of its own. */
  const isAnothers = ({ table }: SourceRule) => {
    const routes = routing.routes.filter((route) => route.table === table);
    return routes.length > 0 && !(link && routes.some((route) => partBy(link.index, route)));
  };
  const isOurs = (rule: SourceRule) =>
    own.some(({ ip }) => ip.equals(rule.from.ip)) &&
    (config.table === undefined
      ? rule.table >= FIRST_TABLE && !isAnothers(rule)
      : rule.table === config.table);
  return routing.rules
    .filter(isSourceRule)
    .filter((rule) => isOurs(rule) || isDead(rule, routing.routes, addresses));
}
