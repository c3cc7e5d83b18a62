import type { Namespace } from "../../net/namespace.ts";
import { withNamespaceLock } from "../../net/namespace-lock.ts";
import { containerNamespaces } from "../../net/owned-inside.ts";
import { listAddresses } from "../../netlink/address.ts";
import { listRoutes } from "../../netlink/route-list.ts";
import { listRules } from "../../netlink/rule.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { SbrConfig } from "./config.ts";
import { isDead, isSourceRule, removeRules } from "./rules.ts";

/**
 * Removes rules of ours in containers whose interface has gone: nobody has the address, and the table is empty. An
 * attachment that is valid has its address still; who removed the interface of another one came before.
 */
export function gc({ host }: GcRequest<SbrConfig>, cleanup: Cleanup): void {
  for (const netns of containerNamespaces(host))
    cleanup.step(`remove stale rules in ${netns.path}`, () => collect(netns));
}

function collect(netns: Namespace): void {
  const { route } = netns;
  const mayBeDead = route.dump(listRules()).filter(isSourceRule);
  if (mayBeDead.length === 0) return;
  withNamespaceLock(netns, () => {
    const [routes, addresses] = [route.dump(listRoutes()), route.dump(listAddresses())];
    removeRules(
      netns,
      mayBeDead.filter((rule) => isDead(rule, routes, addresses)),
    );
  });
}
