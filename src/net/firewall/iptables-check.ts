import { damaged } from "../damaged.ts";
import { readIptables } from "../iptables/table.ts";
import { CONTAINERS, FORWARD, STAGE_1, wantedRules } from "./iptables-rules.ts";
import type { FirewallWish } from "./wish.ts";

/** Throws (code 100) unless all is there that `acceptByIptables` makes. */
export function checkIptables(wish: FirewallWish): void {
  for (const family of [4, 6] as const) {
    const { chains, rules } = wantedRules(wish, family);
    if (rules.length === 0) continue;
    const program = family === 4 ? "iptables" : "ip6tables";
    const present = readIptables(wish.netns, family, "filter");
    for (const chain of chains)
      if (!present.hasChain(chain)) throw damaged(`chain ${chain} of ${program} is missing`);
    for (const { chain, text, mention } of rules)
      if (!present.rules(chain, mention).includes(text))
        throw damaged("a rule of the firewall is missing", `${program} ${text}`);
    const jumps = present.rules(FORWARD, "CNI-");
    const place = (chain: string) => jumps.findIndex((text) => text.endsWith(` -j ${chain}`));
    if (place(STAGE_1) > place(CONTAINERS) && chains.includes(STAGE_1))
      throw damaged(`${FORWARD} of ${program} leads to ${STAGE_1} after ${CONTAINERS}, which accepts all`);
  }
}
