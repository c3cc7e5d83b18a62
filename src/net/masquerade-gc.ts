import type { Host } from "../host/host.ts";
import { batch } from "../netlink/nftables/batch.ts";
import { deleteRule, type ListedRule, listRules } from "../netlink/nftables/rule.ts";
import { hasLegacyTable, saveIptables } from "./iptables.ts";
import { CHECKS } from "./masquerade.ts";
import { natTable, removeIptablesMasquerade } from "./masquerade-iptables.ts";
import { iptablesComment, type MasqueradeOwner, networkHash, ownerHash } from "./masquerade-owner.ts";
import type { Namespace } from "./namespace.ts";

const NFTA_MATCH_INFO = 3;

/** Deletes the network's masquerading rules of all but these attachments, whichever backend made them. */
export function collectMasquerade(
  host: Namespace,
  network: string,
  validAttachments: readonly Omit<MasqueradeOwner, "network">[],
): void {
  collectNftables(host, network, validAttachments);
  const valid = new Set(validAttachments.map(({ containerId }) => containerId));
  for (const containerId of iptablesContainers(host, network))
    if (!valid.has(containerId)) removeIptablesMasquerade(host, { network, containerId });
}

function collectNftables(
  { host, netfilter }: Namespace,
  network: string,
  valid: readonly Omit<MasqueradeOwner, "network">[],
): void {
  const hash = networkHash(host, network);
  const rules = netfilter.dump(listRules(CHECKS.table, CHECKS.name, hash));
  if (rules.length === 0) return;
  const hashes = new Set(valid.map((attachment) => ownerHash(host, { ...attachment, network })));
  const stale = rules.filter(
    ({ comment = "" }) => comment.startsWith(hash) && !hashes.has(comment.slice(0, 2 * hash.length + 1)),
  );
  netfilter.execute(batch(stale.map(({ handle }) => deleteRule(CHECKS, handle))));
}

/** The containers for which POSTROUTING has rules, as their comments tell. */
function iptablesContainers({ host, netfilter }: Namespace, network: string): Set<string> {
  const prefix = iptablesComment({ network, containerId: "" }).slice(0, -1);
  const found = new Set<string>();
  for (const family of [4, 6] as const) {
    const rules = netfilter.dump(listRules(natTable(family), "POSTROUTING", prefix));
    for (const comment of [...rules.flatMap(commentsOf), ...legacyComments(host, family)])
      if (comment.startsWith(prefix)) found.add(comment.slice(prefix.length, -1));
  }
  return found;
}

/** iptables on nftables keeps comments as an extension of ip_tables (struct xt_comment_info). */
function commentsOf({ expressions }: ListedRule): string[] {
  return expressions.flatMap(({ name, attributes }) => {
    const info = name === "match" ? attributes.get(NFTA_MATCH_INFO) : undefined;
    return info ? [info.text()] : [];
  });
}

function legacyComments(host: Host, family: 4 | 6): string[] {
  if (!hasLegacyTable(host, family, "nat")) return [];
  return saveIptables(host, family, "nat", "legacy").flatMap((line) => {
    const quoted = / --comment ("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
    return quoted === undefined || !line.startsWith("-A POSTROUTING ") ? [] : [JSON.parse(quoted) as string];
  });
}
