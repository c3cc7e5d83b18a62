import { type LinkKind, type LinkSettings, writeLink } from "../link.ts";

const VETH_INFO_PEER = 1;

/** The other end. It cannot be up, nor have a master, before the pair is complete. */
export interface VethPeer extends Omit<LinkSettings, "up" | "master"> {
  readonly name: string;
}

/**
 * A veth pair; the link itself is one end, `peer` the other, created where it belongs.
 * Equivalent to `ip link add NAME type veth peer name PEER netns NS`.
 */
export function veth(peer: VethPeer): LinkKind {
  return { kind: "veth", write: (data) => data.nest(VETH_INFO_PEER, (into) => writeLink(into, 0, peer)) };
}
