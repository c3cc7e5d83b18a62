import { getLink } from "../netlink/link.ts";
import type { Result } from "../spec/result.ts";
import { peerOf } from "./host-end.ts";
import type { Namespace } from "./namespace.ts";
import { isAnothers, type Owner, removeOwned } from "./owned.ts";
import { removeLink } from "./veth.ts";

/** An attachment by a veth pair, as DEL knows it. */
interface VethOwner extends Owner {
  readonly hostNetns: Namespace;
  /** The container's, if it can be reached. */
  readonly netns?: Namespace;
  readonly prevResult?: Result;
}

/**
 * Deletes the container's veth pair: by the name of its inner end, else by its owner, for the container may have renamed
 * it. What is gone already is no error.
 */
export function removeOwnedVeth(owner: VethOwner): void {
  const { netns, hostNetns, ifName, prevResult } = owner;
  // Without the result of an ADD it may have failed, since another network's interface has the name.
  const isByName = netns && (prevResult !== undefined || isMaybeOwned(netns, owner));
  if (!isByName || !removeLink(netns, ifName)) removeOwned(hostNetns, "veth", owner);
}

/** Whether the interface is a veth that no other attachment is known to own. */
function isMaybeOwned({ route }: Namespace, owner: VethOwner): boolean {
  const inside = route.query(getLink(owner.ifName));
  if (inside?.kind !== "veth") return false;
  const outside = peerOf(owner.hostNetns, inside);
  return outside === undefined || !isAnothers(outside, owner);
}
