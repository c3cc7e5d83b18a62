import { isMadeOf } from "../../netlink/nftables/compare.ts";
import { type Element, getElement } from "../../netlink/nftables/element.ts";
import { listRules } from "../../netlink/nftables/rule.ts";
import { damaged } from "../damaged.ts";
import { conditionsOf } from "./conditions.ts";
import { missingRules } from "./framework.ts";
import { type Entry, tableOf } from "./layout.ts";
import { describeOwner, isOfContainer } from "./owner.ts";
import { type Plan, type PortRule, plansOf, portRule } from "./plan.ts";
import { describePort, type PortForwardWish } from "./wish.ts";

/** Throws (code 100) unless all is there that `forwardPortsByNftables` makes for this wish. */
export function checkNftablesForwards(wish: PortForwardWish): void {
  for (const plan of plansOf(wish, conditionsOf(wish))) checkPlan(wish, plan);
}

function checkPlan({ netns, containerId }: PortForwardWish, plan: Plan): void {
  const { family, comment, target, entries } = plan;
  const present = netns.netfilter.dump(listRules(tableOf(family)));
  const own = present.filter((rule) => rule.comment === comment);
  const isThere = ({ matches, translation }: PortRule) =>
    own.some((rule) => isMadeOf(rule, [...matches, translation]));
  for (const entry of entries) {
    const element = netns.netfilter.query(getElement(entry.set, entry.key));
    // Another network of the container has the port, or had it.
    const isShared =
      entry.mapping &&
      element?.comment !== comment &&
      (!element || isOfContainer(netns.host, element.comment, containerId)) &&
      isThere(portRule(entry.mapping, target));
    if (!isShared) checkEntry(entry, element);
  }
  const lacking = missingRules(plan, present)[0];
  if (lacking)
    throw damaged(
      "forwarding of ports is not in effect",
      `Chain ${tableOf(family).family} cni_hostport ${lacking.chain} lacks a rule. Run DEL, then ADD, to set it up again.`,
    );
  for (const rule of plan.rules)
    if (!isThere(rule)) throw damaged(`host port ${describePort(rule.mapping)} is not forwarded`);
}

function checkEntry({ set, data, comment, mapping }: Entry, present: Element | undefined): void {
  const look = `Look at: nft list table ${set.table.family} ${set.table.name}. Run DEL, then ADD, to set it up again.`;
  if (present && !mapping) return;
  if (!mapping) throw damaged("forwarded connections are not masqueraded", look);
  const port = `host port ${describePort(mapping)}`;
  if (!present) throw damaged(`${port} is not forwarded`, look);
  if (present.comment !== comment)
    throw damaged(`${port} leads to ${describeOwner(present.comment ?? "")}`, look);
  if (`${present.data}` !== `${data}`) throw damaged(`${port} leads elsewhere`, look);
}
