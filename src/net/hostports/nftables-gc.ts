import { countUses } from "../../netlink/nftables/chain.ts";
import { deleteRule, listRules } from "../../netlink/nftables/rule.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import type { Namespace } from "../namespace.ts";
import { deletionsWhere, transact } from "./changes.ts";
import { chainOf, tableOf } from "./layout.ts";
import { isOfNetwork, ownerComment } from "./owner.ts";
import { PORT_CHAINS } from "./plan.ts";
import type { PortForwardOwner } from "./wish.ts";

/**
 * Stops forwarding to all attachments of the network but these. Rules of other implementations stay: they do not tell of
 * which network they are.
 */
export function collectNftablesForwards(
  netns: Namespace,
  network: string,
  validAttachments: readonly Omit<PortForwardOwner, "network">[],
): void {
  const { host } = netns;
  const valid = new Set(validAttachments.map((attachment) => ownerComment(host, { ...attachment, network })));
  const isStale = ({ comment = "" }) =>
    comment.includes("/") && isOfNetwork(host, comment, network) && !valid.has(comment);
  whereNftables(netns, (netfilter) =>
    transact(netfilter, () =>
      ([4, 6] as const).flatMap((family) => {
        const table = tableOf(family);
        if (netfilter.query(countUses(chainOf(family, "hostports"))) === undefined) return [];
        return [
          ...deletionsWhere(netfilter, family, isStale),
          ...PORT_CHAINS.flatMap((name) =>
            netfilter
              .dump(listRules(table, name))
              .filter(isStale)
              .map(({ handle }) => deleteRule({ table, name }, handle)),
          ),
        ];
      }),
    ),
  );
}
