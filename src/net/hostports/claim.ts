import type { Request } from "../../netlink/message.ts";
import { matchesOf, textOf } from "../../netlink/nftables/compare.ts";
import { createElements, deleteElements, getElement } from "../../netlink/nftables/element.ts";
import { addRule, deleteRule, insertRule, type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { deletionsWhere, inPieces } from "./changes.ts";
import { addFramework } from "./framework.ts";
import { type Entry, tableOf } from "./layout.ts";
import { describeOwner, isOfContainer } from "./owner.ts";
import { type Plan, PORT_CHAINS, type PortRule, portRule } from "./plan.ts";
import { describePort, type PortForwardWish } from "./wish.ts";

/**
 * What makes a table contain what is planned, whatever it contains now. All that the same attachment left goes. A port
 * that another network of the container has stays there, and gets a rule that takes over when it has gone. Code 100 if
 * another container has a port.
 */
export function claim(wish: PortForwardWish, plan: Plan): Request[] {
  const { comment, target } = plan;
  const table = tableOf(plan.family);
  const present = wish.netns.netfilter.dump(listRules(table));
  const own = present.filter((rule) => rule.comment === comment);
  const holders = portRules(present.filter((rule) => rule.comment !== comment));
  const { free, shared, deletions } = lookUpEntries(wish, plan);
  for (const { mapping } of free) if (mapping) aheadOf(wish, holders, portRule(mapping, target));
  const place = (rule: PortRule, put: typeof insertRule): Request => {
    const ahead = aheadOf(wish, holders, rule);
    const expressions = [...rule.matches, rule.translation];
    const made = { table, chain: ahead?.chain ?? rule.chain, expressions, comment };
    return ahead ? addRule(made, ahead.handle) : put(made);
  };
  return [
    ...addFramework(plan, present),
    ...deletions,
    ...own.map(({ chain, handle }) => deleteRule({ table, name: chain }, handle)),
    ...inPieces(free, createElements),
    // Before the rule that looks into the map.
    ...plan.rules.map((rule) => place(rule, insertRule)),
    ...shared.map((mapping) =>
      // Behind it; for a port of one address that is before the map of all addresses.
      place({ ...portRule(mapping, target), chain: "hostports" }, mapping.hostIP ? insertRule : addRule),
    ),
  ];
}

/** Which elements can be made when the others are deleted, and which ports another network of the container has. */
function lookUpEntries(wish: PortForwardWish, { family, entries, comment }: Plan) {
  const { host, netfilter } = wish.netns;
  const free: Entry[] = [];
  const shared: PortMapping[] = [];
  const stale: Entry[] = [];
  let isOwn = false;
  for (const entry of entries) {
    const { set, key, mapping } = entry;
    const present = netfilter.query(getElement(set, key));
    const isShared = present && mapping && isOfContainer(host, present.comment, wish.containerId);
    if (present?.comment === comment) isOwn = true;
    else if (isShared) shared.push(mapping);
    else if (present && mapping) throw portInUse(mapping, present.comment);
    // Masqueraded for who had the address before.
    else if (present) stale.push(entry);
    if (!isShared || present.comment === comment) free.push(entry);
  }
  const deletions = [
    ...inPieces(stale, deleteElements),
    ...(isOwn ? deletionsWhere(netfilter, family, (element) => element.comment === comment, comment) : []),
  ];
  return { free, shared, deletions };
}

/** The rules for ports, by what they match. */
function portRules(present: readonly ListedRule[]): Map<string, ListedRule[]> {
  const found = new Map<string, ListedRule[]>();
  for (const rule of present) {
    if (!PORT_CHAINS.some((name) => name === rule.chain)) continue;
    const text = matchesOf(rule);
    const list = found.get(text);
    if (list) list.push(rule);
    else found.set(text, [rule]);
  }
  return found;
}

/** The last one of the container's rules that match the same. Code 100 if there is one of another container. */
function aheadOf(
  { netns, containerId }: PortForwardWish,
  holders: ReadonlyMap<string, readonly ListedRule[]>,
  { matches, mapping }: PortRule,
): ListedRule | undefined {
  const same = holders.get(textOf(matches)) ?? [];
  for (const { comment } of same)
    if (!isOfContainer(netns.host, comment, containerId)) throw portInUse(mapping, comment);
  return same.at(-1);
}

/** The error for a port that the owner of such a comment has. */
export function portInUse(mapping: PortMapping, comment = ""): CniError {
  return new CniError(
    ErrorCode.Plugin,
    `host port ${describePort(mapping)} is already in use by ${describeOwner(comment)}`,
    "Choose another host port, or run DEL for the one that has it. If that is gone, GC of its network removes what it left.",
  );
}
