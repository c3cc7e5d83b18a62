import { countUses } from "../../netlink/nftables/chain.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import { natTable } from "../iptables/nft.ts";
import type { Namespace } from "../namespace.ts";

/** From PREROUTING and OUTPUT. */
const USES_WITHOUT_CONTAINERS = 2;

/** Whether iptables forwards ports to containers, as far as nftables can tell: what ip_tables has it does not see. */
export function hasIptablesForwards(netns: Namespace, family: 4 | 6): boolean {
  let uses: number | undefined;
  whereNftables(netns, (netfilter) => {
    uses = netfilter.query(countUses({ table: natTable(family), name: "CNI-HOSTPORT-DNAT" }));
  });
  return uses !== undefined && uses > USES_WITHOUT_CONTAINERS;
}
