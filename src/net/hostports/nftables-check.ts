import type { TableId } from "../../netlink/nftables/batch.ts";
import { isMadeOf } from "../../netlink/nftables/compare.ts";
import { type Element, getElement } from "../../netlink/nftables/element.ts";
import { operand } from "../../netlink/nftables/expressions.ts";
import { type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
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

/** The chains that lead to those of ports; the reference has the same. */
const LEADING: readonly string[] = ["prerouting", "output", "hostports_all"];

function checkPlan({ netns, containerId }: PortForwardWish, plan: Plan): void {
  const { family, comment, target, entries } = plan;
  const present = netns.netfilter.dump(listRules(tableOf(family)));
  if (isOfReference(plan, containerId, present)) {
    checkRules(plan, containerId, present);
    return;
  }
  const isThere = isAmong(present, comment);
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
  checkFramework(missingRules(plan, present), family);
  for (const rule of plan.rules) if (!isThere(rule)) throw notForwarded(rule);
}

/** Tells whether a rule is there under this comment. */
function isAmong(present: readonly ListedRule[], comment: string) {
  const own = present.filter((rule) => rule.comment === comment);
  return ({ matches, translation }: PortRule) =>
    own.some((rule) => isMadeOf(rule, [...matches, translation]));
}

/** What the reference has in place of elements, under the container's ID: a rule for each port. */
function rulesOf({ entries, rules, target }: Plan): PortRule[] {
  return [...entries.flatMap(({ mapping }) => (mapping ? [portRule(mapping, target)] : [])), ...rules];
}

/** Whether the reference has made it, or some of it. */
function isOfReference(plan: Plan, containerId: string, present: readonly ListedRule[]): boolean {
  return rulesOf(plan).some(isAmong(present, containerId));
}

function checkRules(plan: Plan, containerId: string, present: readonly ListedRule[]): void {
  const isThere = isAmong(present, containerId);
  for (const rule of rulesOf(plan)) if (!isThere(rule)) throw notForwarded(rule);
  const target = plan.target.bytes.join();
  const isMasqueraded = present.some(
    ({ chain, comment, expressions }) =>
      chain === "masquerading" &&
      comment === containerId &&
      expressions.map(operand).some((value) => value instanceof Uint8Array && value.join() === target),
  );
  if (plan.prefixLengths.size > 0 && !isMasqueraded)
    throw damaged("forwarded connections are not masqueraded", lookAt(tableOf(plan.family)));
  checkFramework(
    missingRules(plan, present).filter(({ chain }) => LEADING.includes(chain)),
    plan.family,
  );
}

const notForwarded = ({ mapping }: PortRule) =>
  damaged(`host port ${describePort(mapping)} is not forwarded`);

const lookAt = ({ family, name }: TableId) =>
  `Look at: nft list table ${family} ${name}. Run DEL, then ADD, to set it up again.`;

function checkFramework([lacking]: readonly { readonly chain: string }[], family: 4 | 6): void {
  if (lacking)
    throw damaged(
      "forwarding of ports is not in effect",
      `Chain ${tableOf(family).family} cni_hostport ${lacking.chain} lacks a rule. Run DEL, then ADD, to set it up again.`,
    );
}

function checkEntry({ set, data, comment, mapping }: Entry, present: Element | undefined): void {
  const look = lookAt(set.table);
  if (present && !mapping) return;
  if (!mapping) throw damaged("forwarded connections are not masqueraded", look);
  const port = `host port ${describePort(mapping)}`;
  if (!present) throw damaged(`${port} is not forwarded`, look);
  if (present.comment !== comment)
    throw damaged(`${port} leads to ${describeOwner(present.comment ?? "")}`, look);
  if (`${present.data}` !== `${data}`) throw damaged(`${port} leads elsewhere`, look);
}
