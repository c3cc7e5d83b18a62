import type { ChainId } from "../../netlink/nftables/chain.ts";
import { isMadeOf } from "../../netlink/nftables/compare.ts";
import { getElement } from "../../netlink/nftables/element.ts";
import type { Expression } from "../../netlink/nftables/expressions.ts";
import { interfaceBytes } from "../../netlink/nftables/match.ts";
import { listRules } from "../../netlink/nftables/rule.ts";
import type { SetId } from "../../netlink/nftables/set.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { damaged } from "../damaged.ts";
import { ADMIN, forwardRules, leadsToAdminChain, switchedRules } from "./framework.ts";
import {
  ATTACHMENTS,
  addressSet,
  attachmentKey,
  bridgeEntries,
  claimsOf,
  FORWARD,
  PORTS,
  SWITCHED_FORWARD,
} from "./nftables.ts";
import type { FirewallWish } from "./wish.ts";

/** Throws (code 100) unless all is there that `acceptByNftables` makes. */
export function checkNftables(wish: FirewallWish): void {
  const { netns, addresses, adminChain, ingress } = wish;
  const { netfilter } = netns;
  verifyRules(netfilter, FORWARD, forwardRules());
  if (!leadsToAdminChain(netfilter, adminChain))
    throw damaged(`chain ${nameOf(ADMIN)} does not lead to ${adminChain}`);
  for (const { family, ip } of addresses)
    verifyElement(netfilter, addressSet(family), ip.bytes, `address ${ip} is not accepted`);
  if (ingress === undefined) return;
  const { policy, bridge, router, port } = ingress;
  for (const claim of claimsOf(policy)) {
    for (const [set, { key }] of bridgeEntries(claim, router))
      verifyElement(netfilter, set, key, `ingressPolicy ${policy} is not in effect for ${bridge}`);
    const key = attachmentKey(netns.host, wish, claim);
    verifyElement(netfilter, ATTACHMENTS, key, `ingressPolicy ${policy} does not count this container`);
  }
  if (policy !== "isolated") return;
  verifyRules(netfilter, SWITCHED_FORWARD, switchedRules());
  if (port !== undefined)
    verifyElement(netfilter, PORTS, interfaceBytes(port), `port ${port} is not isolated on ${bridge}`);
}

function verifyRules(netfilter: NetlinkSocket, chain: ChainId, wanted: readonly Expression[][]): void {
  const rules = netfilter.dump(listRules(chain.table, chain.name));
  if (rules.length === wanted.length && wanted.every((rule, index) => isMadeOf(rules[index]!, rule))) return;
  throw damaged(
    `chain ${nameOf(chain)} is not as the firewall made it`,
    "Rules of your own belong into the admin chain. Delete this chain's; the next ADD makes it anew.",
  );
}

function verifyElement(netfilter: NetlinkSocket, set: SetId, key: Uint8Array, msg: string): void {
  if (netfilter.query(getElement(set, key)) !== undefined) return;
  throw damaged(msg, `Set ${nameOf(set)} lacks it. Run DEL, then ADD, to set it up again.`);
}

function nameOf({ table, name }: ChainId | SetId): string {
  return `${table.family} ${table.name} ${name}`;
}
