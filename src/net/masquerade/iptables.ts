/** Masquerading by iptables: a chain for each container on a network, to which POSTROUTING jumps for each address. */
import type { Cidr } from "../../address/cidr.ts";
import type { Host } from "../../host/host.ts";
import { countUses } from "../../netlink/nftables/chain.ts";
import { type ListedExpression, operand } from "../../netlink/nftables/expressions.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import { mayHaveNatChain, natTable, removeChain } from "../iptables/nft.ts";
import { hasLegacyTable, natTransaction, restoreIptables, saveIptables } from "../iptables/programs.ts";
import type { Namespace } from "../namespace.ts";
import { iptablesChain, iptablesComment, type MasqueradeOwner, type MasqueradeWish } from "./owner.ts";

/** As `masquerade`, by the program iptables-restore, which runs once for each family. */
export function masqueradeByIptables(wish: MasqueradeWish): void {
  const { netns } = wish;
  for (const family of [4, 6] as const) {
    const wanted = iptablesRules(wish, family);
    if (wanted.length === 0) continue;
    const chain = iptablesChain(netns.host, wish);
    // Another interface of the container may have made the chain.
    const present = mayHaveNatChain(netns, family, chain) ? saveIptables(netns.host, family, "nat") : [];
    // To declare a chain that is there would flush it.
    const declaration = present.some((line) => line.startsWith(`:${chain} `)) ? [] : [`:${chain} - [0:0]`];
    const missing = wanted.filter((rule) => !present.includes(rule));
    // Behind MASQUERADE no rule is reached any more.
    const lines = missing.map((rule) => (rule.endsWith(" -j ACCEPT") ? rule.replace("-A", "-I") : rule));
    restoreIptables(netns.host, family, natTransaction([...declaration, ...lines]));
  }
}

/** The rules of one family as iptables-save prints them. */
export function iptablesRules(wish: MasqueradeWish, family: 4 | 6): string[] {
  const addresses = wish.addresses.filter((address) => address.family === family);
  if (addresses.length === 0) return [];
  const chain = iptablesChain(wish.netns.host, wish);
  const comment = `-m comment --comment ${JSON.stringify(iptablesComment(wish))}`;
  const multicast = family === 4 ? "224.0.0.0/4" : "ff00::/8";
  return [
    ...addresses.map(({ network }) => `-A ${chain} -d ${network} ${comment} -j ACCEPT`),
    `-A ${chain} ! -d ${multicast} ${comment} -j MASQUERADE`,
    ...addresses.map(({ host }) => `-A POSTROUTING -s ${host} ${comment} -j ${chain}`),
  ];
}

/**
 * Deletes the container's chain and what leads to it; if there are `addresses`, only what leads to it from these, and
 * the chain when nothing else does. No program runs where ip_tables has no nat table: iptables on nftables is undone there.
 */
export function removeIptablesMasquerade(
  netns: Namespace,
  owner: Omit<MasqueradeOwner, "ifName">,
  addresses: readonly Cidr[] = [],
): void {
  for (const family of [4, 6] as const) {
    if (addresses.length > 0 && !addresses.some((address) => address.family === family)) continue;
    const postrouting = { table: natTable(family), name: "POSTROUTING" };
    whereNftables(netns, (netfilter) => {
      if (netfilter.query(countUses(postrouting)) !== undefined)
        removeChain(netfilter, postrouting, iptablesChain(netns.host, owner), ({ expressions }) =>
          isFrom(expressions, addresses),
        );
    });
    if (hasLegacyTable(netns.host, family, "nat"))
      removeFromLegacy(netns.host, family, iptablesChain(netns.host, owner), addresses);
  }
}

/** Whether the source that a rule compares with is one of the addresses, or its network, as older versions wrote. */
function isFrom(expressions: readonly ListedExpression[], addresses: readonly Cidr[]): boolean {
  if (addresses.length === 0) return true;
  const comparison = expressions.find(({ name }) => name === "cmp");
  const source = comparison && (operand(comparison) as Uint8Array);
  return addresses.some(({ ip, networkAddress }) =>
    // A network of whole bytes is compared by these alone.
    [ip, networkAddress].some(({ bytes }) => source?.every((byte, index) => byte === bytes[index])),
  );
}

function removeFromLegacy(host: Host, family: 4 | 6, chain: string, addresses: readonly Cidr[]): void {
  const present = saveIptables(host, family, "nat", "legacy");
  if (!present.some((line) => line.startsWith(`:${chain} `))) return;
  const jumps = present.filter((line) => line.startsWith("-A POSTROUTING ") && line.endsWith(` -j ${chain}`));
  const sources = addresses.flatMap((address) => [` -s ${address.host} `, ` -s ${address.network} `]);
  const ours = jumps.filter(
    (line) => sources.length === 0 || sources.some((source) => line.includes(source)),
  );
  const deletions = ours.map((line) => line.replace("-A", "-D"));
  if (ours.length === jumps.length) deletions.push(`-F ${chain}`, `-X ${chain}`);
  if (deletions.length > 0) restoreIptables(host, family, natTransaction(deletions), "legacy");
}
