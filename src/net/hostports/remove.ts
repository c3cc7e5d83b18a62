import type { Namespace } from "../namespace.ts";
import { removeIptablesForwards } from "./iptables-remove.ts";
import { removeNftablesForwards } from "./nftables-remove.ts";
import type { PortForwardOwner, PortForwardWish } from "./wish.ts";

/**
 * Stops forwarding ports to an attachment, whichever backend or implementation made it; nothing is fine. `known`, the
 * wish of ADD, spares looking through what is there.
 */
export function removeForwards(netns: Namespace, owner: PortForwardOwner, known?: PortForwardWish): void {
  removeNftablesForwards(netns, owner, known);
  removeIptablesForwards(netns, owner, known?.addresses);
}
