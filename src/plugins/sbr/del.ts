import type { Cidr } from "../../address/cidr.ts";
import { withNamespaceLock } from "../../net/namespace-lock.ts";
import { listAddresses } from "../../netlink/address.ts";
import { partBy } from "../../netlink/route-copy.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { addressesOf, type SbrConfig } from "./config.ts";
import { type Routing, readRouting } from "./routing.ts";
import { FIRST_TABLE, isDead, isSourceRule, removeRules, type SourceRule } from "./rules.ts";

/** Removes the rules. The routes of their tables go with the interface. */
export function del(request: DelRequest<SbrConfig>, cleanup: Cleanup): void {
  const { netns } = request;
  if (netns === undefined) return;
  cleanup.step("remove the rules", () =>
    withNamespaceLock(netns, () => removeRules(netns, findRules(request, readRouting(netns)))),
  );
}

/** Those for the interface's addresses, as they are and as ADD told them, and those that mean nothing any more. */
function findRules({ config, netns, ifName, prevResult = {} }: DelRequest<SbrConfig>, routing: Routing) {
  const link = routing.links.find(({ name }) => name === ifName);
  const addresses = netns!.route.dump(listAddresses());
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
