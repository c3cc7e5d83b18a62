import type { Host } from "../../host/host.ts";
import { COMMENT_LENGTH_MAX } from "../../netlink/nftables/comment.ts";
import type { PortForwardOwner } from "./wish.ts";

const NETWORK_DIGITS = 16;
const OWNER_DIGITS = 32;

/**
 * The comment of whatever is an attachment's: NETWORK/CONTAINER/INTERFACE, one character a byte. Hashes of the network
 * and of the whole, where that is too long for a comment.
 */
export function ownerComment(host: Host, owner: PortForwardOwner): string {
  const { network, containerId, ifName } = owner;
  const text = String.fromCharCode(...host.encode(`${network}/${containerId}/${ifName}`));
  if (text.length <= COMMENT_LENGTH_MAX) return text;
  return `${host.sha512(network, NETWORK_DIGITS)}/${host.sha512(text, OWNER_DIGITS)}`;
}

/** Whether a comment is that of an attachment to the network. */
export function isOfNetwork(host: Host, comment: string, network: string): boolean {
  const [first, ...rest] = comment.split("/");
  return first === (rest.length === 2 ? network : host.sha512(network, NETWORK_DIGITS));
}

/** An owner for who reads it: `container ID (network NETWORK, interface INTERFACE)`. */
export function describeOwner(comment: string): string {
  const [network, containerId, ifName] = comment.split("/");
  if (ifName !== undefined) return `container ${containerId} (network ${network}, interface ${ifName})`;
  return comment === "" ? "somebody who is not named" : `an attachment with the digest ${comment}`;
}
