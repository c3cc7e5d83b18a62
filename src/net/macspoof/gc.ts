import { Reader } from "../../netlink/codec.ts";
import { getLink } from "../../netlink/link.ts";
import { operand } from "../../netlink/nftables/expressions.ts";
import { type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import type { Namespace } from "../namespace.ts";
import { COMMENT_PREFIX, PREROUTING, removeMacSpoofCheck } from "./macspoof.ts";

/**
 * Deletes the spoof checks whose port is gone, unless they are valid. Names do not tell of which network a check is:
 * the others' containers have their ports. So delete stale links first.
 */
export function collectMacSpoofChecks(host: Namespace, validIds: readonly string[]): void {
  const valid = new Set(validIds);
  const { table, name } = PREROUTING;
  for (const rule of host.netfilter.dump(listRules(table, name, COMMENT_PREFIX))) {
    const id = rule.comment?.startsWith(COMMENT_PREFIX)
      ? rule.comment.slice(COMMENT_PREFIX.length)
      : undefined;
    const port = portOf(rule);
    if (id === undefined || port === undefined || valid.has(id)) continue;
    if (!host.route.query(getLink(port))) removeMacSpoofCheck(host, id);
  }
}

/** The interface name with which the rule compares: 16 bytes, filled up with NULs. */
function portOf({ expressions }: ListedRule): string | undefined {
  const comparison = expressions.find(({ name }) => name === "cmp");
  return comparison && new Reader(operand(comparison) as Uint8Array).text();
}
