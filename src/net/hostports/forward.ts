/** Ports of the host that lead to containers. */
import { allOrNothing } from "../all-or-nothing.ts";
import type { Namespace } from "../namespace.ts";
import { forwardPortsByIptables } from "./iptables.ts";
import { removeIptablesForwards } from "./iptables-remove.ts";
import { forwardPortsByNftables, removeNftablesForwards } from "./nftables.ts";
import { checkMappings, type PortForwardOwner, type PortForwardWish } from "./wish.ts";

export type PortForwardBackend = "nftables" | "iptables";

/**
 * Forwards ports of the host to a container. Code 100, and nothing done, if another container has one of them; code 7 if
 * the wish itself wants one twice.
 */
export function forwardPorts(wish: PortForwardWish, backend: PortForwardBackend): { remove(): void } {
  const { netns, addresses } = wish;
  checkMappings(wish.mappings);
  if (backend === "iptables") {
    forwardPortsByIptables(wish);
    return { remove: () => removeIptablesForwards(netns, wish, addresses) };
  }
  const remove = () => removeNftablesForwards(netns, wish, wish);
  allOrNothing(() => forwardPortsByNftables(wish), remove);
  return { remove };
}

/**
 * Stops forwarding to an attachment, whichever backend or implementation made it; nothing is fine. `known`, the wish of
 * ADD, spares looking through what is there.
 */
export function removeForwards(netns: Namespace, owner: PortForwardOwner, known?: PortForwardWish): void {
  removeNftablesForwards(netns, owner, known);
  removeIptablesForwards(netns, owner, known?.addresses);
}
