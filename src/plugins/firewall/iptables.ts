import { acceptByIptables } from "../../net/firewall/iptables.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";
import { wishOf } from "./wish.ts";

export function add(request: AddRequest<FirewallConfig>, undo: Undo): undefined {
  const wish = wishOf(request);
  undo.add("remove the firewall's rules", async () => {
    const { removeFromFirewall } = await import("../../net/firewall/remove.ts");
    removeFromFirewall(wish.netns, wish, wish.addresses, undefined);
  });
  acceptByIptables(wish);
}
