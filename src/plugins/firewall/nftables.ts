import { acceptByNftables, type Framework, hasFramework } from "../../net/firewall/nftables.ts";
import type { FirewallWish } from "../../net/firewall/wish.ts";
import type { Verbs } from "../../plugin/define.ts";
import type { AddRequest } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";
import { wishOf } from "./wish.ts";

/** ADD, with what it takes to make the tables if they are not there. */
export async function loadAdd(
  request: AddRequest<FirewallConfig>,
): Promise<Pick<Verbs<FirewallConfig>, "add">> {
  const wish = wishOf(request);
  const framework = await frameworkFor(wish);
  return {
    add(_, undo) {
      undo.add("remove the firewall's entries", async () => {
        const { removeFromNftables } = await import("../../net/firewall/nftables-remove.ts");
        removeFromNftables(wish.netns, wish, wish.addresses);
      });
      acceptByNftables(wish, framework);
      return undefined;
    },
  };
}

export async function frameworkFor(wish: FirewallWish): Promise<Framework | undefined> {
  return hasFramework(wish) ? undefined : import("../../net/firewall/framework.ts");
}
