/** The tables of the firewall, made by the first who needs them, and mended. They stay. */
import type { Request } from "../../netlink/message.ts";
import {
  addChain,
  type ChainId,
  PRIORITY_FILTER,
  PRIORITY_FILTER_BRIDGED,
} from "../../netlink/nftables/chain.ts";
import { isMadeOf } from "../../netlink/nftables/compare.ts";
import { accept, drop, type Expression, jump, verdict } from "../../netlink/nftables/expressions.ts";
import { matchSet } from "../../netlink/nftables/lookup.ts";
import { interfaceName, ipAddress, matchFamily } from "../../netlink/nftables/match.ts";
import { matchConnectionState } from "../../netlink/nftables/match-state.ts";
import { addRule, flushChain, listRules } from "../../netlink/nftables/rule.ts";
import { addSet, interfaceNameType, ipv4Address, ipv6Address } from "../../netlink/nftables/set.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import {
  ATTACHMENTS,
  addressSet,
  BRIDGES,
  DEFAULT_ADMIN_CHAIN,
  FORWARD,
  FORWARD_RULES,
  ISOLATED,
  isWhole,
  PORTS,
  SWITCHED,
  SWITCHED_FORWARD,
  SWITCHED_RULES,
  sharedSet,
  TABLE,
  WITHIN,
} from "./nftables.ts";
import type { FirewallWish } from "./wish.ts";

/** Leads to chains for the administrator's own rules that have another name than usual. */
export const ADMIN: ChainId = { table: TABLE, name: "further-admins" };

/** The requests that make what is missing of all that a wish builds on. What is there stays. */
export function requests({ netns: { netfilter }, adminChain, ingress }: FirewallWish): Request[] {
  return [
    addTable({ ...TABLE, comment: "Firewall for containers, by CNI plugins" }),
    ...sets(),
    addChain({ table: TABLE, name: DEFAULT_ADMIN_CHAIN, comment: "For rules of your own, which come first" }),
    addChain({ ...ADMIN, comment: "To other chains for rules of your own" }),
    ...(leadsToAdminChain(netfilter, adminChain) ? [] : furtherAdminChain(adminChain)),
    ...(isWhole(netfilter, FORWARD, FORWARD_RULES) ? [] : chain(FORWARD, PRIORITY_FILTER, forwardRules())),
    ...(ingress?.policy === "isolated" ? switched(netfilter) : []),
  ];
}

/** The rules of FORWARD, in their order. */
export function forwardRules(): Expression[][] {
  const [into, outOf] = [interfaceName("iifname"), interfaceName("oifname")];
  const between = [matchSet([into], BRIDGES.name), matchSet([outOf], BRIDGES.name)];
  return [
    [verdict(jump(DEFAULT_ADMIN_CHAIN))],
    [verdict(jump(ADMIN.name))],
    [matchSet([into], BRIDGES.name), matchSet([outOf], ISOLATED.name), verdict(drop)],
    [...between, matchSet([into, outOf], WITHIN.name, { not: true }), verdict(drop)],
    ...([4, 6] as const).flatMap((family) => {
      const addresses = addressSet(family).name;
      const match = (end: "saddr" | "daddr") => matchSet([ipAddress(end, family)], addresses);
      return [
        [
          matchConnectionState("established", "related"),
          matchFamily(family),
          match("daddr"),
          verdict(accept),
        ],
        [matchFamily(family), match("saddr"), verdict(accept)],
      ];
    }),
  ];
}

/** The rules for frames from port to port of a bridge. */
export function switchedRules(): Expression[][] {
  return [[matchSet([interfaceName("oifname")], PORTS.name), verdict(drop)]];
}

function sets(): Request[] {
  const bridge = [interfaceNameType];
  const ofAddress = [
    [4, ipv4Address],
    [6, ipv6Address],
  ] as const;
  return [
    ...ofAddress.flatMap(([family, type]) => [
      addSet({ ...addressSet(family), key: [type], timeout: true, comment: "Containers" }),
      addSet({
        ...sharedSet(family),
        key: [type, interfaceNameType],
        comment: "More containers with such an address",
      }),
    ]),
    addSet({ ...BRIDGES, key: bridge, comment: "Bridges with an ingressPolicy" }),
    addSet({ ...WITHIN, key: [...bridge, ...bridge], comment: "From such a bridge to itself" }),
    addSet({ ...ISOLATED, key: bridge, comment: "Bridges whose ingressPolicy is isolated" }),
    addSet({
      ...ATTACHMENTS,
      key: bridge,
      data: "verdict",
      comment: "Counts containers in their bridge's chain",
    }),
  ];
}

function switched(netfilter: NetlinkSocket): Request[] {
  return [
    addTable({ ...SWITCHED, comment: "Isolated containers, by CNI plugins" }),
    addSet({ ...PORTS, key: [interfaceNameType], comment: "Ports of isolated containers" }),
    ...(isWhole(netfilter, SWITCHED_FORWARD, SWITCHED_RULES)
      ? []
      : chain(SWITCHED_FORWARD, PRIORITY_FILTER_BRIDGED, switchedRules())),
  ];
}

function chain(id: ChainId, priority: number, rules: Expression[][]): Request[] {
  return [
    addChain({ ...id, base: { type: "filter", hook: "forward", priority } }),
    flushChain(id),
    ...rules.map((expressions) => addRule({ table: id.table, chain: id.name, expressions })),
  ];
}

function furtherAdminChain(name: string): Request[] {
  const rule = addRule({ table: TABLE, chain: ADMIN.name, expressions: [verdict(jump(name))] });
  return [addChain({ table: TABLE, name }), rule];
}

export function leadsToAdminChain(netfilter: NetlinkSocket, name: string): boolean {
  // One of FORWARD's own rules does.
  if (name === DEFAULT_ADMIN_CHAIN) return true;
  const wanted = [verdict(jump(name))];
  return netfilter.dump(listRules(TABLE, ADMIN.name, name)).some((rule) => isMadeOf(rule, wanted));
}
