/** The firewall by iptables. See iptables-rules.ts for the layout. */
import { restoreIptables, transaction } from "../iptables/programs.ts";
import { type IptablesTable, readIptables } from "../iptables/table.ts";
import { withNamespaceLock } from "../namespace-lock.ts";
import { type WantedRules, wantedRules } from "./iptables-rules.ts";
import { recordAddresses } from "./records.ts";
import type { FirewallWish } from "./wish.ts";

/** Lets the container's packets pass, by one run of iptables-restore for each family. What is there already stays. */
export function acceptByIptables(wish: FirewallWish): void {
  const { netns, addresses } = wish;
  const { host } = netns;
  withNamespaceLock(netns, () => {
    recordAddresses(
      host,
      wish,
      addresses.map(({ ip }) => ip),
    );
    for (const family of [4, 6] as const) {
      const wanted = wantedRules(wish, family);
      if (wanted.rules.length === 0) continue;
      const lines = missing(wanted, readIptables(netns, family, "filter"));
      if (lines.length > 0) restoreIptables(host, family, transaction("filter", lines));
    }
  });
}

/** Lines of iptables-restore that make what is not there. */
function missing({ chains, rules }: WantedRules, present: IptablesTable): string[] {
  // To declare a chain that is there would flush it.
  const absent = chains.filter((chain) => !present.hasChain(chain));
  return [
    ...absent.map((chain) => `:${chain} - [0:0]`),
    ...rules
      .filter(
        ({ chain, text, mention }) => absent.includes(chain) || !present.rules(chain, mention).includes(text),
      )
      .map(({ text, place }) => (place === "first" ? text.replace("-A", "-I") : text)),
  ];
}
