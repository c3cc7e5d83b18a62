import type { ChainId } from "../../netlink/nftables/chain.ts";
import { isMadeOf } from "../../netlink/nftables/compare.ts";
import type { Expression } from "../../netlink/nftables/expressions.ts";
import { damaged } from "../damaged.ts";
import type { Namespace } from "../namespace.ts";
import { chainsOf, expressionsOf, PREROUTING, rulesOf, type SpoofCheck } from "./macspoof.ts";

/** Throws (code 100) unless all rules are there that `protectFromSpoofing` makes, in their order. */
export function checkMacSpoofCheck({ netfilter }: Namespace, check: SpoofCheck): void {
  const chains = chainsOf(check.id);
  const wanted = expressionsOf(check);
  const verify = (chain: ChainId, expressions: readonly Expression[][]) => {
    const rules = rulesOf(netfilter, chain, check.id);
    if (expressions.every((one, index) => rules[index] && isMadeOf(rules[index], one))) return;
    const { family, name } = chain.table;
    throw damaged(
      `the MAC spoof check of ${check.port} for ${check.mac} is not whole`,
      `Look at: nft list chain ${family} ${name} ${chain.name}. Run DEL, then ADD, to set it up again.`,
    );
  };
  verify(PREROUTING, wanted.prerouting);
  verify(chains.port, wanted.port);
  verify(chains.mac, wanted.mac);
}
