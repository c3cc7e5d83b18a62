import type { Cidr } from "../../address/cidr.ts";
import type { Host } from "../../host/host.ts";
import { COMMENT_LENGTH_MAX } from "../../netlink/nftables/comment.ts";
import type { Namespace } from "../namespace.ts";

const HASH_DIGITS = 16;
const CHAIN_LENGTH = 28;

/** One container's interface on one network: whose rules they are. */
export interface MasqueradeOwner {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
}

export interface MasqueradeWish extends MasqueradeOwner {
  /** The host's namespace; for iptables it must be the process's own. */
  readonly netns: Namespace;
  /** The container's addresses, each with its network, which is reached without masquerading. */
  readonly addresses: readonly Cidr[];
  /** nftables unless given. */
  readonly backend?: "nftables" | "iptables" | undefined;
}

/** With what the comment of every rule of a network begins. */
export function networkHash(host: Host, network: string): string {
  return host.sha512(network, HASH_DIGITS);
}

/** With what the comment of every rule of one owner begins. */
export function ownerHash(host: Host, { network, ifName, containerId }: MasqueradeOwner): string {
  const interfaceHash = host.sha512(`${ifName}:${containerId}`, HASH_DIGITS);
  return `${networkHash(host, network)}-${interfaceHash}`;
}

/** The hashes, then the names for who reads it, cut where a comment must end. One character a byte. */
export function ownerComment(host: Host, owner: MasqueradeOwner): string {
  const { network, ifName, containerId } = owner;
  const names = `, net: ${network}, if: ${ifName}, id: ${containerId}`.replaceAll('"', "");
  const bytes = host.encode(ownerHash(host, owner) + names);
  return String.fromCharCode(...bytes.subarray(0, COMMENT_LENGTH_MAX));
}

/** The chain of iptables, for all interfaces of the container on the network. */
export function iptablesChain(host: Host, { network, containerId }: Omit<MasqueradeOwner, "ifName">): string {
  return `CNI-${host.sha512(network + containerId, CHAIN_LENGTH - 4)}`;
}

/** The comment of rules of iptables; it tells the network and the container. */
export function iptablesComment({ network, containerId }: Omit<MasqueradeOwner, "ifName">): string {
  return `name: ${JSON.stringify(network)} id: ${JSON.stringify(containerId)}`;
}
