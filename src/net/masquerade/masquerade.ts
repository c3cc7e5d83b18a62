/**
 * Masquerading: what a container sends beyond its own network leaves with an address of the host.
 *
 * One table, one chain and a commented rule for each address, in the layout that other implementations of the
 * plugins know, so that each can remove what another one made.
 */
import { Cidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import type { Request } from "../../netlink/message.ts";
import { batch, type TableId } from "../../netlink/nftables/batch.ts";
import { addChain, type ChainId, countUses, PRIORITY_SRCNAT } from "../../netlink/nftables/chain.ts";
import { type Expression, goto, returnToCaller, verdict } from "../../netlink/nftables/expressions.ts";
import { matchFamily, matchIp } from "../../netlink/nftables/match.ts";
import { masquerade as masqueradeStatement } from "../../netlink/nftables/nat.ts";
import { addRule, deleteRule, flushChain, listRules } from "../../netlink/nftables/rule.ts";
import { hasNftables, whereNftables } from "../../netlink/nftables/support.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { allOrNothing } from "../all-or-nothing.ts";
import type { Namespace } from "../namespace.ts";
import { masqueradeByIptables, removeIptablesMasquerade } from "./iptables.ts";
import { type MasqueradeOwner, type MasqueradeWish, ownerComment, ownerHash } from "./owner.ts";

const TABLE: TableId = { family: "inet", name: "cni_plugins_masquerade" };
export const CHECKS: ChainId = { table: TABLE, name: "masq_checks" };
export const POSTROUTING: ChainId = { table: TABLE, name: "postrouting" };
export const POSTROUTING_RULES = 3;
/** How often somebody else may be faster at deleting what we have just listed. */
const ATTEMPTS = 10;

/** Masquerades what comes from the addresses and goes beyond their networks; multicast is left alone. */
export function masquerade(wish: MasqueradeWish): { remove(): void } {
  const { netns, addresses, backend } = wish;
  const remove = () => removeMasquerade(netns, wish, addresses);
  allOrNothing(() => (backend === "iptables" ? masqueradeByIptables(wish) : byNftables(wish)), remove);
  return { remove };
}

function byNftables(wish: MasqueradeWish): void {
  const { netns, addresses } = wish;
  const comment = ownerComment(netns.host, wish);
  const rules = addresses.map((address) =>
    addRule({ table: TABLE, chain: CHECKS.name, comment, expressions: leavingNetwork(address) }),
  );
  try {
    addRules(netns.netfilter, rules);
  } catch (error) {
    if (hasNftables(netns)) throw error;
    const details = 'Load the module nf_tables, or choose "ipMasqBackend": "iptables".';
    throw new CniError(ErrorCode.Plugin, "this kernel has no nftables", details, { cause: error });
  }
}

/**
 * Deletes the owner's rules, whoever made them; none is fine. With iptables, the container's interfaces share a
 * chain: `addresses`, if known, tell which of the rules that lead to it are this interface's.
 *
 * The kernel frees what was deleted after an RCU grace period (15 to 30 ms), for which closing a netfilter socket
 * waits (nft_rcv_nl_event). Deleting a link waits for one too: call this before, and both pass at once.
 */
export function removeMasquerade(
  netns: Namespace,
  owner: MasqueradeOwner,
  addresses?: readonly Cidr[],
): void {
  const hash = ownerHash(netns.host, owner);
  whereNftables(netns, (netfilter) => deleteRules(netfilter, hash));
  removeIptablesMasquerade(netns, owner, addresses);
}

/** Deletes the rules for addresses whose comment begins with `hash`, except those to be kept. */
export function deleteRules(netfilter: NetlinkSocket, hash: string, keep = (_: string) => false): void {
  for (let attempt = 1; ; attempt++) {
    const rules = netfilter.dump(listRules(TABLE, CHECKS.name, hash));
    const mine = rules.filter(({ comment = "" }) => comment.startsWith(hash) && !keep(comment));
    try {
      netfilter.execute(batch(mine.map(({ handle }) => deleteRule(CHECKS, handle))));
      return;
    } catch (error) {
      if (!isNetlinkErrno(error, errno.ENOENT) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The chain that leads to `masq_checks` is made, or mended, only when it is not whole: that would flush rules. */
function addRules(netfilter: NetlinkSocket, rules: readonly Request[]): void {
  const uses = netfilter.query(countUses(POSTROUTING)) ?? 0;
  if (uses >= POSTROUTING_RULES) {
    try {
      netfilter.execute(batch(rules));
      return;
    } catch (error) {
      // The table went in between.
      if (!isNetlinkErrno(error, errno.ENOENT)) throw error;
    }
  }
  netfilter.execute(batch([...framework(), ...rules]));
}

function framework(): Request[] {
  const rule = (...expressions: Expression[]) =>
    addRule({ table: TABLE, chain: POSTROUTING.name, expressions });
  const v4Multicast = new Cidr(new Ip(Uint8Array.of(224, 0, 0, 0)), 4);
  const v6Multicast = new Cidr(new Ip(new Uint8Array(16).fill(0xff, 0, 1)), 8);
  return [
    addTable({ ...TABLE, comment: "Masquerading for containers, by CNI plugins" }),
    addChain({ ...CHECKS, comment: "One rule for each address of a container" }),
    addChain({ ...POSTROUTING, base: { type: "nat", hook: "postrouting", priority: PRIORITY_SRCNAT } }),
    flushChain(POSTROUTING),
    rule(matchFamily(4), matchIp("daddr", v4Multicast), verdict(returnToCaller)),
    rule(matchFamily(6), matchIp("daddr", v6Multicast), verdict(returnToCaller)),
    rule(verdict(goto(CHECKS.name))),
  ];
}

/** `ip saddr ADDRESS ip daddr != NETWORK masquerade` */
export function leavingNetwork(address: Cidr): Expression[] {
  return [
    matchFamily(address.family),
    matchIp("saddr", address.host),
    matchIp("daddr", address.network, { not: true }),
    masqueradeStatement(),
  ];
}
