import type { Host } from "../../host/host.ts";
import { listRules } from "../../netlink/nftables/rule.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import { commentsOf, natTable } from "../iptables/nft.ts";
import { hasLegacyTable, saveIptables } from "../iptables/programs.ts";
import type { Namespace } from "../namespace.ts";
import { removeIptablesMasquerade } from "./iptables.ts";
import { deleteRules } from "./masquerade.ts";
import { iptablesComment, type MasqueradeOwner, networkHash, ownerHash } from "./owner.ts";

/** Deletes the network's masquerading rules of all but these attachments, whichever backend made them. */
export function collectMasquerade(
  netns: Namespace,
  network: string,
  validAttachments: readonly Omit<MasqueradeOwner, "network">[],
): void {
  const { host } = netns;
  const hashes = new Set(validAttachments.map((attachment) => ownerHash(host, { ...attachment, network })));
  const isValid = (comment: string) => hashes.has(comment.slice(0, comment.indexOf(",")));
  whereNftables(netns, (netfilter) => deleteRules(netfilter, networkHash(host, network), isValid));
  const containers = new Set(validAttachments.map(({ containerId }) => containerId));
  for (const containerId of iptablesContainers(netns, network))
    if (!containers.has(containerId)) removeIptablesMasquerade(netns, { network, containerId });
}

/** The containers for which POSTROUTING has rules, as their comments tell. */
function iptablesContainers(netns: Namespace, network: string): Set<string> {
  const prefix = iptablesComment({ network, containerId: "" }).slice(0, -1);
  const found = new Set<string>();
  for (const family of [4, 6] as const) {
    const comments = legacyComments(netns.host, family);
    whereNftables(netns, (netfilter) => {
      const rules = netfilter.dump(listRules(natTable(family), "POSTROUTING", prefix));
      comments.push(...rules.flatMap(commentsOf));
    });
    for (const comment of comments)
      if (comment.startsWith(prefix)) found.add(comment.slice(prefix.length, -1));
  }
  return found;
}

function legacyComments(host: Host, family: 4 | 6): string[] {
  if (!hasLegacyTable(host, family, "nat")) return [];
  return saveIptables(host, family, "nat", "legacy").flatMap((line) => {
    const quoted = / --comment ("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
    return quoted === undefined || !line.startsWith("-A POSTROUTING ") ? [] : [JSON.parse(quoted) as string];
  });
}
