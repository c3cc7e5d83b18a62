/**
 * Protection from a container that pretends another MAC address: frames that come in by the host's end of its veth
 * pair from any other source are dropped.
 *
 * PREROUTING jumps for the port to a chain of the interface, which jumps to one for its MAC address, in the layout
 * that libvirt and other implementations of the plugin know.
 */
import type { MacAddress } from "../../address/mac.ts";
import { errno } from "../../host/errno.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import { batch, type TableId } from "../../netlink/nftables/batch.ts";
import { addChain, type ChainId, countUses, deleteChain } from "../../netlink/nftables/chain.ts";
import { COMMENT_LENGTH_MAX } from "../../netlink/nftables/comment.ts";
import { drop, type Expression, jump, returnToCaller, verdict } from "../../netlink/nftables/expressions.ts";
import { matchInterface, matchMac } from "../../netlink/nftables/match.ts";
import { addRule, deleteRule, flushChain, type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { allOrNothing } from "../all-or-nothing.ts";
import type { Namespace } from "../namespace.ts";

const TABLE: TableId = { family: "bridge", name: "nat" };
export const PREROUTING: ChainId = { table: TABLE, name: "PREROUTING" };
/** NF_BR_PRI_NAT_DST_BRIDGED (linux/netfilter_bridge.h) */
const PRIORITY = -300;
/** With what the comment of all rules begins. */
export const COMMENT_PREFIX = "macspoofchk-";
/** How often somebody else may be faster at deleting what we have just listed. */
const ATTEMPTS = 10;

export interface SpoofCheck {
  /** What the chains are named after: the container's ID and its interface, with a dash between. */
  readonly id: string;
  /** The name of the host's end of the veth pair. */
  readonly port: string;
  /** The only source address that may come from there. */
  readonly mac: MacAddress;
}

/** Drops what comes from the port with another source address. */
export function protectFromSpoofing(host: Namespace, check: SpoofCheck): { remove(): void } {
  const { port, mac } = chainsOf(check.id);
  const rules = expressionsOf(check);
  const comment = commentOf(check.id);
  if (comment.length > COMMENT_LENGTH_MAX)
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      `the container ID is too long for macspoofchk: ${check.id}`,
      `With the interface's name it may have ${COMMENT_LENGTH_MAX - COMMENT_PREFIX.length - 1} characters.`,
    );
  const add = ({ table, name }: ChainId, list: readonly Expression[][]) =>
    list.map((expressions) => addRule({ table, chain: name, comment, expressions }));
  const requests = [
    addTable(TABLE),
    addChain({ ...PREROUTING, base: { type: "filter", hook: "prerouting", priority: PRIORITY } }),
    addChain(port),
    addChain(mac),
    flushChain(port),
    flushChain(mac),
    ...add(mac, rules.mac),
    ...add(port, rules.port),
    ...add(PREROUTING, rules.prerouting),
  ];
  const remove = () => removeMacSpoofCheck(host, check.id);
  allOrNothing(() => host.netfilter.execute(batch(requests)), remove);
  return { remove };
}

/** The rules of each chain. */
export function expressionsOf({
  id,
  port,
  mac,
}: SpoofCheck): Record<"prerouting" | "port" | "mac", Expression[][]> {
  const chains = chainsOf(id);
  return {
    prerouting: [[matchInterface("iifname", port), verdict(jump(chains.port.name))]],
    port: [[verdict(jump(chains.mac.name))]],
    mac: [[matchMac("saddr", mac), verdict(returnToCaller)], [verdict(drop)]],
  };
}

/** Deletes the chains of an interface and the rules that lead there; none is fine. */
export function removeMacSpoofCheck({ netfilter }: Namespace, id: string): void {
  const { port, mac } = chainsOf(id);
  // None was made then, nor could be asked for.
  if (commentOf(id).length > COMMENT_LENGTH_MAX) return;
  for (let attempt = 1; ; attempt++) {
    const rules = rulesOf(netfilter, PREROUTING, id);
    const chains = [port, mac].filter((chain) => netfilter.query(countUses(chain)) !== undefined);
    const deletions = rules.map(({ handle }) => deleteRule(PREROUTING, handle));
    try {
      netfilter.execute(batch([...deletions, ...chains.map(deleteChain)]));
      return;
    } catch (error) {
      if (!isNetlinkErrno(error, errno.ENOENT) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The chain to which PREROUTING jumps for the port, and that to which this one jumps. */
export function chainsOf(id: string): { port: ChainId; mac: ChainId } {
  const name = `cni-br-iface-${id}`;
  return { port: { table: TABLE, name }, mac: { table: TABLE, name: `${name}-mac` } };
}

/** The rules of a chain that are about this interface. */
export function rulesOf(netfilter: NetlinkSocket, { table, name }: ChainId, id: string): ListedRule[] {
  const comment = commentOf(id);
  return netfilter.dump(listRules(table, name, comment)).filter((rule) => rule.comment === comment);
}

function commentOf(id: string): string {
  return `${COMMENT_PREFIX}${id}`;
}
