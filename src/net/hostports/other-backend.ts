/** Ports that containers have by the other backend: an ADD by one backend does not meet what the other one made. */
import { getElement } from "../../netlink/nftables/element.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import { hasIptables, saveIptables } from "../iptables/programs.ts";
import { portInUse } from "./claim.ts";
import { refuseTaken } from "./iptables.ts";
import { hasIptablesForwards } from "./iptables-present.ts";
import { conditionsOf } from "./iptables-rules.ts";
import { isOfContainer } from "./owner.ts";
import { plansOf } from "./plan.ts";
import { forwardsByFamily, type PortForwardWish } from "./wish.ts";

/** For a wish by nftables. Code 100 if iptables on nftables forwards one of its ports to another container. */
export function refuseTakenByIptables(wish: PortForwardWish): void {
  const { netns } = wish;
  for (const forwards of forwardsByFamily(wish)) {
    const { family } = forwards;
    if (hasIptablesForwards(netns, family) && hasIptables(netns.host, family))
      refuseTaken(wish, forwards, saveIptables(netns.host, family, "nat"));
  }
}

/** For a wish by iptables. Code 100 if nftables forwards one of its ports to another container. */
export function refuseTakenByNftables(wish: PortForwardWish): void {
  const { netns, containerId } = wish;
  whereNftables(netns, (netfilter) => {
    for (const { family, entries } of plansOf(wish)) {
      if (conditionsOf(wish, family).length > 0) continue;
      for (const { set, key, mapping } of entries) {
        const present = mapping && netfilter.query(getElement(set, key));
        if (present && !isOfContainer(netns.host, present.comment, containerId))
          throw portInUse(mapping, present.comment);
      }
    }
  });
}
