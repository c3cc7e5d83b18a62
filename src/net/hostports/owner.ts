import type { Host } from "../../host/host.ts";
import { COMMENT_LENGTH_MAX } from "../../netlink/nftables/comment.ts";
import type { PortForwardOwner } from "./wish.ts";

const DIGITS = 16;

/**
 * The comment of whatever is an attachment's: NETWORK/CONTAINER/INTERFACE, one character a byte. Where that is too long
 * for a comment, a hash of the network and, behind the slash, one of the container and one of the interface.
 */
export function ownerComment(host: Host, owner: PortForwardOwner): string {
  const { network, containerId, ifName } = owner;
  const text = String.fromCharCode(...host.encode(`${network}/${containerId}/${ifName}`));
  if (text.length <= COMMENT_LENGTH_MAX) return text;
  return `${host.sha512(network, DIGITS)}/${host.sha512(containerId, DIGITS)}${host.sha512(ifName, DIGITS)}`;
}

/** Whether a comment is that of an attachment to the network. */
export function isOfNetwork(host: Host, comment: string, network: string): boolean {
  const [first, ...rest] = comment.split("/");
  return first === (rest.length === 2 ? network : host.sha512(network, DIGITS));
}

/** Whether a comment is that of one of the container's attachments; other implementations write its ID alone. */
export function isOfContainer(host: Host, comment: string | undefined, containerId: string): boolean {
  const parts = (comment ?? "").split("/");
  if (parts.length === 2) return parts[1]!.startsWith(host.sha512(containerId, DIGITS));
  return containerId === (parts[1] ?? parts[0]);
}

/** An owner for who reads it: `container ID (network NETWORK, interface INTERFACE)`. */
export function describeOwner(comment: string): string {
  const [first, containerId, ifName] = comment.split("/");
  if (ifName !== undefined) return `container ${containerId} (network ${first}, interface ${ifName})`;
  if (containerId !== undefined) return `an attachment with the digest ${comment}`;
  return comment === "" ? "somebody who is not named" : `container ${comment}`;
}
