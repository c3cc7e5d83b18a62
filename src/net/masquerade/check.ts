import { countUses } from "../../netlink/nftables/chain.ts";
import { isMadeOf } from "../../netlink/nftables/compare.ts";
import { listRules } from "../../netlink/nftables/rule.ts";
import { damaged } from "../damaged.ts";
import { eitherOf } from "../iptables/either.ts";
import { saveIptables } from "../iptables/programs.ts";
import { iptablesRules } from "./iptables.ts";
import { CHECKS, leavingNetwork, POSTROUTING, POSTROUTING_RULES } from "./masquerade.ts";
import { type MasqueradeWish, ownerHash } from "./owner.ts";

/**
 * Throws (code 100) unless all is there that `masquerade` makes for these addresses. Where no backend is named, it may be
 * by iptables too: the reference prefers that.
 */
export function checkMasquerade(wish: MasqueradeWish): void {
  if (wish.backend === "iptables") checkByIptables(wish);
  else eitherOf(() => checkByNftables(wish), wish.backend === undefined && (() => checkByIptables(wish)));
}

function checkByNftables({ netns: { host, netfilter }, addresses, ...owner }: MasqueradeWish): void {
  const { name, table } = CHECKS;
  const rules = netfilter.dump(listRules(table, name, ownerHash(host, owner)));
  for (const address of addresses)
    if (!rules.some((rule) => isMadeOf(rule, leavingNetwork(address))))
      throw damaged(
        `${address} is not masqueraded`,
        `Chain ${table.family} ${table.name} ${name} has no rule for it.`,
      );
  const use = netfilter.query(countUses(POSTROUTING)) ?? 0;
  if (use < POSTROUTING_RULES)
    throw damaged(
      "masquerading is not in effect",
      `Chain ${table.family} ${table.name} ${POSTROUTING.name} does not lead to ${name}.`,
    );
}

function checkByIptables(wish: MasqueradeWish): void {
  for (const family of [4, 6] as const) {
    const wanted = iptablesRules(wish, family);
    const present = wanted.length > 0 ? saveIptables(wish.netns.host, family, "nat") : [];
    for (const rule of wanted)
      if (!present.includes(rule)) throw damaged("a masquerading rule is missing", `iptables -t nat ${rule}`);
  }
}
