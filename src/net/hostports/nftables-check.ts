import { isMadeOf } from "../../netlink/nftables/compare.ts";
import { getElement } from "../../netlink/nftables/element.ts";
import { type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { damaged } from "../damaged.ts";
import { type Entry, rules, tableOf } from "./layout.ts";
import { describeOwner } from "./owner.ts";
import { type Plan, plansOf } from "./plan.ts";
import { describePort, type PortForwardWish } from "./wish.ts";

/** Throws (code 100) unless all is there that `forwardPorts` makes for this wish. */
export function checkNftablesForwards(wish: PortForwardWish): void {
  const { netfilter } = wish.netns;
  for (const plan of plansOf(wish)) {
    for (const entry of plan.entries) checkEntry(netfilter, entry);
    checkRules(plan, netfilter.dump(listRules(tableOf(plan.family))));
  }
}

function checkEntry(netfilter: NetlinkSocket, { set, key, data, comment, mapping }: Entry): void {
  const look = `Look at: nft list table ${set.table.family} ${set.table.name}. Run DEL, then ADD, to set it up again.`;
  const present = netfilter.query(getElement(set, key));
  if (present && !mapping) return;
  if (!mapping) throw damaged("forwarded connections are not masqueraded", look);
  const port = `host port ${describePort(mapping)}`;
  if (!present) throw damaged(`${port} is not forwarded`, look);
  if (present.comment !== comment)
    throw damaged(`${port} leads to ${describeOwner(present.comment ?? "")}`, look);
  if (`${present.data}` !== `${data}`) throw damaged(`${port} leads elsewhere`, look);
}

function checkRules({ family, prefixLengths, rules: own, comment }: Plan, present: ListedRule[]): void {
  const table = tableOf(family);
  for (const { chain, expressions } of rules(family, prefixLengths))
    if (!present.some((rule) => rule.chain === chain && isMadeOf(rule, expressions)))
      throw damaged(
        "forwarding of ports is not in effect",
        `Chain ${table.family} ${table.name} ${chain} lacks a rule. Run DEL, then ADD, to set it up again.`,
      );
  for (const { chain, matches, translation, mapping } of own)
    if (
      !present.some(
        (rule) =>
          rule.chain === chain && rule.comment === comment && isMadeOf(rule, [...matches, translation]),
      )
    )
      throw damaged(`host port ${describePort(mapping)} is not forwarded`);
}
