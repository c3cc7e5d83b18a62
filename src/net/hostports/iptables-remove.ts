import type { Cidr } from "../../address/cidr.ts";
import type { Host } from "../../host/host.ts";
import { mentions } from "../../netlink/message.ts";
import { type ListedRule, listRules } from "../../netlink/nftables/rule.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import { natTable, removeChain } from "../iptables/nft.ts";
import {
  hasLegacyTable,
  type IptablesVariant,
  natTransaction,
  restoreIptables,
  saveIptables,
} from "../iptables/programs.ts";
import type { Namespace } from "../namespace.ts";
import {
  HOSTPORTS,
  hostPortsChain,
  type IptablesOwner,
  readEntries,
  readPortRules,
} from "./iptables-layout.ts";

const NFTA_TARGET_INFO = 3;

/**
 * Deletes the container's chain and what leads to it, whoever made them; none is fine. If there are `addresses`, and the
 * chain leads to others too, those of another interface, only what leads to these. No program runs unless that is so,
 * or ip_tables has a table nat.
 */
export function removeIptablesForwards(
  netns: Namespace,
  owner: IptablesOwner,
  addresses: readonly Cidr[] = [],
): void {
  removeForwardsOf(netns, hostPortsChain(netns.host, owner), addresses);
}

/** The same, for who knows the chain's name. */
export function removeForwardsOf(netns: Namespace, chain: string, addresses: readonly Cidr[] = []): void {
  const { host } = netns;
  for (const family of [4, 6] as const) {
    const own = addresses.filter((address) => address.family === family);
    whereNftables(netns, (netfilter) => {
      const table = natTable(family);
      const isShared =
        own.length > 0 && netfilter.dump(listRules(table, chain)).some((rule) => leadsElsewhere(rule, own));
      if (isShared) removeByProgram(host, family, chain, own, "any");
      else removeChain(netfilter, { table, name: HOSTPORTS }, chain);
    });
    if (hasLegacyTable(host, family, "nat")) removeByProgram(host, family, chain, own, "legacy");
  }
}

/** Whether a rule of iptables translates to another address. */
function leadsElsewhere({ expressions }: ListedRule, addresses: readonly Cidr[]): boolean {
  const target = expressions.find(({ name }) => name === "target");
  // struct nf_nat_range, which has the address twice.
  const info = target?.attributes.get(NFTA_TARGET_INFO)?.bytes;
  return info !== undefined && !addresses.some(({ ip }) => mentions(info, String.fromCharCode(...ip.bytes)));
}

function removeByProgram(
  host: Host,
  family: 4 | 6,
  chain: string,
  addresses: readonly Cidr[],
  variant: IptablesVariant,
): void {
  const present = saveIptables(host, family, "nat", variant);
  if (!present.some((line) => line.startsWith(`:${chain} `))) return;
  const rules = readPortRules(present, `${chain} `);
  const isOurs = (target: string) => addresses.length === 0 || addresses.some(({ ip }) => `${ip}` === target);
  const others = rules.filter(({ target }) => target !== undefined && !isOurs(target));
  const keys = new Set(others.map(({ key }) => key));
  const ports = new Set(others.map(({ port }) => port));
  const entries = readEntries(present.filter((line) => line.endsWith(` -j ${chain}`))).filter(
    (entry) => !entry.ports.some((port) => ports.has(port)),
  );
  const dropped = others.length === 0 ? [] : rules.filter(({ key }) => !keys.has(key));
  const deletions = [...entries, ...dropped].map(({ line }) => line.replace("-A", "-D"));
  if (others.length === 0) deletions.push(`-F ${chain}`, `-X ${chain}`);
  if (deletions.length > 0) restoreIptables(host, family, natTransaction(deletions), variant);
}
