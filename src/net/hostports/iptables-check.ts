import { CniError } from "../../spec/errors.ts";
import { damaged } from "../damaged.ts";
import { natTransaction, restoreIptables } from "../iptables/programs.ts";
import { wantedRules } from "./iptables-rules.ts";
import { forwardsByFamily, type PortForwardWish } from "./wish.ts";

/** Throws (code 100) unless all rules are there that `forwardPortsByIptables` makes. The program itself compares them. */
export function checkIptablesForwards(wish: PortForwardWish): void {
  for (const forwards of forwardsByFamily(wish)) {
    if (forwards.mappings.length === 0) continue;
    const { common, addressEntries, entries, ports } = wantedRules(wish, forwards);
    const rules = [...common, ...addressEntries, ...entries, ...ports];
    try {
      restoreIptables(
        wish.netns.host,
        forwards.family,
        natTransaction(rules.map((rule) => rule.replace("-A", "-C"))),
      );
    } catch (error) {
      // The first line of the text is the table's.
      const line = error instanceof CniError ? /line (\d+) failed/.exec(error.details)?.[1] : undefined;
      const missing = line && rules[Number(line) - 2];
      if (!missing) throw error;
      const program = forwards.family === 4 ? "iptables" : "ip6tables";
      throw damaged("a port forwarding rule is missing", `${program} -t nat ${missing}`);
    }
  }
}
