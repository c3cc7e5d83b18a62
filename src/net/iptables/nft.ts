/** Tables of iptables that the kernel keeps in nftables: what is there is found, and removed, without a program. */
import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import { batch, type TableId } from "../../netlink/nftables/batch.ts";
import { type ChainId, countUses, deleteChain } from "../../netlink/nftables/chain.ts";
import { deleteRule, type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import type { Namespace } from "../namespace.ts";
import { hasLegacyTable } from "./programs.ts";

const NFTA_MATCH_INFO = 3;
/** How often others may change what we have just listed. */
const ATTEMPTS = 10;

/** The table nat of iptables. */
export function natTable(family: 4 | 6): TableId {
  return { family: family === 4 ? "ip" : "ip6", name: "nat" };
}

/** Whether the table nat of iptables has such a chain; true also if only a program can tell, for ip_tables has it. */
export function mayHaveNatChain(netns: Namespace, family: 4 | 6, name: string): boolean {
  if (hasLegacyTable(netns.host, family, "nat")) return true;
  let found = false;
  whereNftables(netns, (netfilter) => {
    found = netfilter.query(countUses({ table: natTable(family), name })) !== undefined;
  });
  return found;
}

/**
 * Deletes from `from` those rules that lead to the chain `name`, and the chain itself; none is fine. If not all of those
 * rules are `ours`, the others stay, and the chain.
 */
export function removeChain(
  netfilter: NetlinkSocket,
  from: ChainId,
  name: string,
  ours: (rule: ListedRule) => boolean = () => true,
): void {
  const { table } = from;
  for (let attempt = 1; netfilter.query(countUses({ table, name })) !== undefined; attempt++) {
    const jumps = netfilter.dump(listRules(table, from.name, name));
    const chosen = jumps.filter(ours);
    const deletions = chosen.map(({ handle }) => deleteRule(from, handle));
    if (chosen.length === jumps.length) deletions.push(deleteChain({ table, name }));
    try {
      netfilter.execute(batch(deletions));
      return;
    } catch (error) {
      if (!isNetlinkErrno(error, errno.ENOENT, errno.EBUSY) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Comments of a rule: iptables keeps them as an extension of ip_tables (struct xt_comment_info). */
export function commentsOf({ expressions }: ListedRule): string[] {
  return expressions.flatMap(({ name, attributes }) => {
    const info = name === "match" ? attributes.get(NFTA_MATCH_INFO) : undefined;
    return info ? [info.text()] : [];
  });
}
