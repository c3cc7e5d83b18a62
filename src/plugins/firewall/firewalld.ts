import { trustAddresses } from "../../net/firewall/firewalld.ts";
import { acceptByNftables } from "../../net/firewall/nftables.ts";
import { recordAddresses } from "../../net/firewall/records.ts";
import type { Verbs } from "../../plugin/define.ts";
import type { AddRequest } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";
import { frameworkFor } from "./nftables.ts";
import { wishOf } from "./wish.ts";
import { zoneOf } from "./zone.ts";

/** ADD. firewalld knows no bridges: an ingressPolicy is for nftables, whose drops count whoever accepts. */
export async function loadAdd(
  request: AddRequest<FirewallConfig>,
): Promise<Pick<Verbs<FirewallConfig>, "add">> {
  const wish = wishOf(request);
  const framework = wish.ingress && (await frameworkFor(wish));
  return {
    add({ host, config }, undo) {
      const { addresses } = wish;
      undo.add("remove the firewall's entries", async () => {
        const { removeFromFirewall } = await import("../../net/firewall/remove.ts");
        removeFromFirewall(wish.netns, wish, [], undefined);
      });
      recordAddresses(
        host,
        wish,
        addresses.map(({ ip }) => ip),
      );
      if (wish.ingress) acceptByNftables({ ...wish, addresses: [] }, framework);
      undo.keep(trustAddresses({ host, zone: zoneOf(config), addresses }));
      return undefined;
    },
  };
}
