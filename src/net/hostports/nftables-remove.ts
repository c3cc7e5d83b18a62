import type { Request } from "../../netlink/message.ts";
import { countUses } from "../../netlink/nftables/chain.ts";
import { deleteElements, getElement } from "../../netlink/nftables/element.ts";
import { operand } from "../../netlink/nftables/expressions.ts";
import { deleteRule, type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import type { Namespace } from "../namespace.ts";
import { deletionsWhere, inPieces, transact } from "./changes.ts";
import { chainOf, type Entry, HOSTPORTS_USES, tableOf } from "./layout.ts";
import { ownerComment } from "./owner.ts";
import { type Plan, PORT_CHAINS, plansOf } from "./plan.ts";
import type { PortForwardOwner, PortForwardWish } from "./wish.ts";

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
  const plans = known ? plansOf(known) : [];
  whereNftables(netns, (netfilter) =>
    transact(netfilter, () => {
      const planned = plans.map((plan) => deletionsOf(netfilter, plan));
      const isAll = plans.length > 0 && planned.every((requests) => requests !== undefined);
      const families = isAll ? plans.map(({ family }) => family) : ([4, 6] as const);
      return families.flatMap((family, index) => {
        const uses = netfilter.query(countUses(chainOf(family, "hostports")));
        if (uses === undefined) return [];
        return [
          ...(isAll
            ? planned[index]!
            : deletionsWhere(netfilter, family, (element) => element.comment === comment, comment)),
          ...(!isAll || uses > HOSTPORTS_USES ? ruleDeletions(netfilter, family, owner, comment, known) : []),
        ];
      });
    }),
  );
}

/** Deletes what was planned at ADD, if it is all there; undefined if not: then it must be looked for. */
function deletionsOf(netfilter: NetlinkSocket, { entries, comment }: Plan): Request[] | undefined {
  const mine: Entry[] = [];
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
  const table = tableOf(family);
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
