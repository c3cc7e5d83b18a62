/** Forwarding ports by nftables; what that consists of is in hostports-layout.ts. */
import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import type { Request } from "../../netlink/message.ts";
import { batch } from "../../netlink/nftables/batch.ts";
import { addChain, countUses } from "../../netlink/nftables/chain.ts";
import { beginsWith, isMadeOf } from "../../netlink/nftables/compare.ts";
import { createElements, deleteElements, getElement } from "../../netlink/nftables/element.ts";
import { operand } from "../../netlink/nftables/expressions.ts";
import { addRule, deleteRule, insertRule, type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import { addSet } from "../../netlink/nftables/set.ts";
import { hasNftables, whereNftables } from "../../netlink/nftables/support.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Namespace } from "../namespace.ts";
import { deletionsWhere, inPieces, transact } from "./changes.ts";
import * as layout from "./layout.ts";
import { describeOwner, ownerComment } from "./owner.ts";
import { type Plan, PORT_CHAINS, plansOf } from "./plan.ts";
import { describePort, type PortForwardOwner, type PortForwardWish } from "./wish.ts";

/** Forwards ports to a container. Code 100, and nothing done, if another one has one of them. */
export function forwardPortsByNftables(wish: PortForwardWish): void {
  const { netns } = wish;
  const plans = plansOf(wish);
  try {
    claim(netns.netfilter, plans);
  } catch (error) {
    if (error instanceof CniError || hasNftables(netns)) throw error;
    const details = 'Load the module nf_tables, or choose "backend": "iptables".';
    throw new CniError(ErrorCode.Plugin, "this kernel has no nftables", details, { cause: error });
  }
}

/**
 * Stops forwarding to an attachment; nothing is fine. If the wish of ADD is `known`, its ports are looked up in the
 * maps, otherwise these are read. Rules for it by other implementations go too.
 *
 * As with `removeMasquerade`, the kernel frees what was deleted after a grace period.
 */
export function removeNftablesForwards(
  netns: Namespace,
  owner: PortForwardOwner,
  known?: PortForwardWish,
): void {
  const comment = ownerComment(netns.host, owner);
  const plans = known ? plansOf({ ...known, conditionsV4: [], conditionsV6: [] }) : [];
  whereNftables(netns, (netfilter) =>
    transact(netfilter, () => {
      const planned = plans.map((plan) => deletionsOf(netfilter, plan));
      const isAll = plans.length > 0 && planned.every((requests) => requests !== undefined);
      const families = isAll ? plans.map(({ family }) => family) : ([4, 6] as const);
      return families.flatMap((family, index) => {
        const uses = netfilter.query(countUses(layout.chainOf(family, "hostports")));
        if (uses === undefined) return [];
        return [
          ...(isAll
            ? planned[index]!
            : deletionsWhere(netfilter, family, (element) => element.comment === comment, comment)),
          ...(!isAll || uses > layout.HOSTPORTS_USES
            ? ruleDeletions(netfilter, family, owner, comment, known)
            : []),
        ];
      });
    }),
  );
}

/** Adds what is planned. In nearly all calls the maps and chains are there, and the ports are free. */
function claim(netfilter: NetlinkSocket, plans: readonly Plan[]): void {
  if (plans.every(({ family, rules }) => rules.length === 0 && isWhole(netfilter, family))) {
    try {
      netfilter.execute(batch(plans.flatMap(creation)));
      return;
    } catch (error) {
      // A port is taken, perhaps by ourselves; or a set is missing.
      if (!isNetlinkErrno(error, errno.EEXIST, errno.ENOENT)) throw error;
    }
  }
  transact(netfilter, () =>
    plans.flatMap((plan) => {
      const present = netfilter.dump(listRules(layout.tableOf(plan.family)));
      return [
        ...missing(plan, present),
        ...replaced(netfilter, plan),
        ...creation(plan),
        ...ruleChanges(plan, present),
      ];
    }),
  );
}

/** Whether packets get to the chains of ports: one look, for what flushing the table or a part of it damages. */
function isWhole(netfilter: NetlinkSocket, family: 4 | 6): boolean {
  const uses = netfilter.query(countUses(layout.chainOf(family, "hostports_all"))) ?? 0;
  return uses >= layout.HOSTPORTS_ALL_USES;
}

/** Makes what the layout has and the table lacks. */
function missing({ family, prefixLengths }: Plan, present: readonly ListedRule[]): Request[] {
  const table = layout.tableOf(family);
  const isThere = ({ chain, expressions }: layout.LayoutRule) =>
    present.some((rule) => rule.chain === chain && isMadeOf(rule, expressions));
  return [
    addTable({ ...table, comment: "Ports forwarded to containers, by CNI plugins" }),
    ...layout.chains().map(([name, base]) => addChain({ table, name, ...(base && { base }) })),
    ...layout.sets(family, prefixLengths).map(addSet),
    ...layout
      .rules(family, prefixLengths)
      .filter((rule) => !isThere(rule))
      .map(({ chain, expressions, first }) => (first ? insertRule : addRule)({ table, chain, expressions })),
  ];
}

function creation({ entries }: Plan): Request[] {
  return inPieces(entries, createElements);
}

/**
 * What is in the way of a plan goes: all that the same attachment left, and what was masqueraded for who had its address
 * before. A port of another one is an error of code 100.
 */
function replaced(netfilter: NetlinkSocket, { family, entries, comment }: Plan): Request[] {
  if (netfilter.query(countUses(layout.chainOf(family, "hostports"))) === undefined) return [];
  const others: layout.Entry[] = [];
  let isOurs = false;
  for (const entry of entries) {
    const present = netfilter.query(getElement(entry.set, entry.key));
    if (present?.comment === comment) isOurs = true;
    else if (present && entry.mapping) throw inUse(entry.mapping, present.comment);
    else if (present) others.push(entry);
  }
  return [
    ...inPieces(others, deleteElements),
    ...(isOurs ? deletionsWhere(netfilter, family, (element) => element.comment === comment, comment) : []),
  ];
}

/** Rules for ports with conditions, in place of those that the same attachment left. */
function ruleChanges({ family, comment, rules }: Plan, present: readonly ListedRule[]): Request[] {
  const table = layout.tableOf(family);
  const earlier = present.filter((rule) => rule.comment === comment);
  return [
    ...earlier.map(({ chain, handle }) => deleteRule({ table, name: chain }, handle)),
    ...rules.map(({ chain, matches, translation, mapping }) => {
      const same = present.find(
        (rule) => rule.chain === chain && rule.comment !== comment && beginsWith(rule, matches),
      );
      if (same) throw inUse(mapping, same.comment);
      // Before the rule that looks into the map.
      return insertRule({ table, chain, comment, expressions: [...matches, translation] });
    }),
  ];
}

/** Deletes what was planned at ADD, if it is all there; undefined if not: then it must be looked for. */
function deletionsOf(netfilter: NetlinkSocket, { entries, comment }: Plan): Request[] | undefined {
  const mine: layout.Entry[] = [];
  for (const entry of entries) {
    const present = netfilter.query(getElement(entry.set, entry.key));
    if (present?.comment === comment) mine.push(entry);
    // Another one may have the address meanwhile, and what is masqueraded for it.
    else if (!present || entry.mapping) return undefined;
  }
  return inPieces(mine, deleteElements);
}

/** Deletes the attachment's own rules, and those of other implementations, whose comments name the container alone. */
function ruleDeletions(
  netfilter: NetlinkSocket,
  family: 4 | 6,
  { containerId }: PortForwardOwner,
  comment: string,
  known: PortForwardWish | undefined,
): Request[] {
  const table = layout.tableOf(family);
  const targets = known?.addresses.map(({ ip }) => ip.bytes.join()) ?? [];
  // The addresses tell to which of the container's networks a rule belongs.
  const isTarget = ({ expressions }: ListedRule) =>
    targets.length === 0 ||
    expressions.map(operand).some((value) => value instanceof Uint8Array && targets.includes(value.join()));
  return [...PORT_CHAINS, "masquerading"].flatMap((name) =>
    netfilter
      .dump(listRules(table, name))
      .filter((rule) => rule.comment === comment || (rule.comment === containerId && isTarget(rule)))
      .map(({ handle }) => deleteRule({ table, name }, handle)),
  );
}

function inUse(mapping: PortMapping, comment = ""): CniError {
  return new CniError(
    ErrorCode.Plugin,
    `host port ${describePort(mapping)} is already in use by ${describeOwner(comment)}`,
    "Choose another host port, or run DEL for the one that has it. If that is gone, GC of its network removes what it left.",
  );
}
