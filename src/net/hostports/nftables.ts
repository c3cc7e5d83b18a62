/** Forwarding ports by nftables; what that consists of is in layout.ts. */
import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import { batch } from "../../netlink/nftables/batch.ts";
import { countUses } from "../../netlink/nftables/chain.ts";
import { createElements } from "../../netlink/nftables/element.ts";
import { hasNftables } from "../../netlink/nftables/support.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { inPieces, transact } from "./changes.ts";
import { claim } from "./claim.ts";
import { chainOf, HOSTPORTS_USES } from "./layout.ts";
import { type Conditions, type Plan, plansOf } from "./plan.ts";
import type { PortForwardWish } from "./wish.ts";

/**
 * Forwards ports to a container; `conditions`: those of the wish, parsed. Code 100, and nothing done, if another
 * container has one of the ports.
 */
export function forwardPortsByNftables(wish: PortForwardWish, conditions?: Conditions): void {
  const { netns } = wish;
  const plans = plansOf(wish, conditions);
  try {
    const { netfilter } = netns;
    if (plans.every((plan) => isPlain(netfilter, plan)) && createAll(netfilter, plans)) return;
    transact(netfilter, () => plans.flatMap((plan) => claim(wish, plan)));
  } catch (error) {
    if (error instanceof CniError || hasNftables(netns)) throw error;
    const details = 'Load the module nf_tables, or choose "backend": "iptables".';
    throw new CniError(ErrorCode.Plugin, "this kernel has no nftables", details, { cause: error });
  }
}

/**
 * Whether elements of maps are all that it takes, as in nearly all calls: the chain of ports leads to the maps, and has
 * no rules for ports. One look sees that, and whether the table or that chain was flushed.
 */
function isPlain(netfilter: NetlinkSocket, { family, rules }: Plan): boolean {
  if (rules.length > 0) return false;
  return netfilter.query(countUses(chainOf(family, "hostports"))) === HOSTPORTS_USES;
}

/** False, and nothing done, if a port is taken, perhaps by the same attachment, or a set is missing. */
function createAll(netfilter: NetlinkSocket, plans: readonly Plan[]): boolean {
  try {
    netfilter.execute(batch(plans.flatMap(({ entries }) => inPieces(entries, createElements))));
    return true;
  } catch (error) {
    if (isNetlinkErrno(error, errno.EEXIST, errno.ENOENT)) return false;
    throw error;
  }
}
