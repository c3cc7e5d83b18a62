import type { Host } from "../../host/host.ts";
import type { Verdict } from "../../netlink/nftables/expressions.ts";
import { operand } from "../../netlink/nftables/expressions.ts";
import { listRules } from "../../netlink/nftables/rule.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import { commentsOf, natTable } from "../iptables/nft.ts";
import { hasLegacyTable, saveIptables } from "../iptables/programs.ts";
import type { Namespace } from "../namespace.ts";
import {
  HOSTPORTS,
  hostPortsChain,
  hostPortsComment,
  type IptablesOwner,
  readEntries,
} from "./iptables-layout.ts";
import { removeForwardsOf } from "./iptables-remove.ts";

/** Deletes the network's chains of all but these containers. */
export function collectIptablesForwards(
  netns: Namespace,
  network: string,
  validAttachments: readonly Omit<IptablesOwner, "network">[],
): void {
  const { host } = netns;
  const valid = new Set(
    validAttachments.map(({ containerId }) => hostPortsChain(host, { network, containerId })),
  );
  const prefix = hostPortsComment({ network, containerId: "" }).slice(0, -1);
  const stale = new Set<string>();
  for (const family of [4, 6] as const)
    for (const chain of [...nftablesChains(netns, family, prefix), ...legacyChains(host, family, prefix)])
      if (!valid.has(chain)) stale.add(chain);
  for (const chain of stale) removeForwardsOf(netns, chain);
}

/** The chains to which rules lead whose comment begins so. */
function nftablesChains(netns: Namespace, family: 4 | 6, prefix: string): string[] {
  const found: string[] = [];
  whereNftables(netns, (netfilter) => {
    for (const rule of netfilter.dump(listRules(natTable(family), HOSTPORTS, prefix)))
      if (commentsOf(rule).some((comment) => comment.startsWith(prefix)))
        for (const expression of rule.expressions) {
          const { chain } = (expression.name === "immediate" && (operand(expression) as Verdict)) || {};
          if (chain !== undefined) found.push(chain);
        }
  });
  return found;
}

function legacyChains(host: Host, family: 4 | 6, prefix: string): string[] {
  if (!hasLegacyTable(host, family, "nat")) return [];
  return readEntries(saveIptables(host, family, "nat", "legacy"))
    .filter(({ comment }) => comment.startsWith(prefix))
    .map(({ chain }) => chain);
}
