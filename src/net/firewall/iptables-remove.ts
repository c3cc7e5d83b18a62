import type { Cidr } from "../../address/cidr.ts";
import { errno } from "../../host/errno.ts";
import type { Host } from "../../host/host.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import { batch } from "../../netlink/nftables/batch.ts";
import { countUses } from "../../netlink/nftables/chain.ts";
import { deleteRule, listRules } from "../../netlink/nftables/rule.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import {
  hasLegacyTable,
  type IptablesVariant,
  restoreIptables,
  saveIptables,
  transaction,
} from "../iptables/programs.ts";
import { ruleText } from "../iptables/rule-text.ts";
import type { Namespace } from "../namespace.ts";
import { addressRules, CONTAINERS, type WantedRule } from "./iptables-rules.ts";

const TABLE = "filter";
/** How often others may change what we have just listed. */
const ATTEMPTS = 10;

/**
 * Deletes the rules that accept packets of these addresses, whoever made them; none is fine. Chains stay, and what
 * leads to them. No program runs where ip_tables has no table filter: iptables on nftables is undone by netlink.
 */
export function removeFromIptables(netns: Namespace, addresses: readonly Cidr[]): void {
  const { host } = netns;
  for (const family of [4, 6] as const) {
    const rules = addresses.filter((address) => address.family === family).flatMap(addressRules);
    if (rules.length === 0) continue;
    whereNftables(netns, (netfilter) => {
      if (!removeFromNftables(netfilter, family, rules)) removeByProgram(host, family, rules, "any");
    });
    if (hasLegacyTable(host, family, TABLE)) removeByProgram(host, family, rules, "legacy");
  }
}

/** False if there are rules about these addresses which cannot be read, so that some of ours may be among them. */
function removeFromNftables(netfilter: NetlinkSocket, family: 4 | 6, rules: readonly WantedRule[]): boolean {
  const chain = { table: { family: family === 4 ? "ip" : "ip6", name: TABLE }, name: CONTAINERS } as const;
  if (netfilter.query(countUses(chain)) === undefined) return true;
  const texts = new Set(rules.map(({ text }) => text));
  const mentions = new Set(rules.map(({ mention }) => mention));
  for (let attempt = 1; ; attempt++) {
    // A rule may mention several.
    const found = new Map(
      [...mentions]
        .flatMap((mention) => netfilter.dump(listRules(chain.table, chain.name, mention)))
        .map((rule) => [rule.handle, ruleText(rule)]),
    );
    const handles = [...found.keys()].filter((handle) => texts.has(found.get(handle) ?? ""));
    try {
      netfilter.execute(batch(handles.map((handle) => deleteRule(chain, handle))));
      return handles.length >= texts.size || ![...found.values()].includes(undefined);
    } catch (error) {
      if (!isNetlinkErrno(error, errno.ENOENT) || attempt === ATTEMPTS) throw error;
    }
  }
}

function removeByProgram(
  host: Host,
  family: 4 | 6,
  rules: readonly WantedRule[],
  variant: IptablesVariant,
): void {
  const texts = new Set(rules.map(({ text }) => text));
  const present = saveIptables(host, family, TABLE, variant).filter((line) => texts.has(line));
  const deletions = present.map((line) => line.replace("-A", "-D"));
  if (deletions.length > 0) restoreIptables(host, family, transaction(TABLE, deletions), variant);
}
