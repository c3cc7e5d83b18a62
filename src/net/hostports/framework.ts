/** What of the layout is there once, for all ports: see layout.ts. */
import { Cidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import type { Request } from "../../netlink/message.ts";
import {
  addChain,
  type Base,
  PRIORITY_DSTNAT,
  PRIORITY_FILTER,
  PRIORITY_SRCNAT,
} from "../../netlink/nftables/chain.ts";
import { isMadeOf } from "../../netlink/nftables/compare.ts";
import { drop, type Expression, jump, verdict } from "../../netlink/nftables/expressions.ts";
import { lookUp, matchSet } from "../../netlink/nftables/lookup.ts";
import {
  ipAddress,
  ipNetwork,
  l4Protocol,
  matchInterface,
  matchIp,
  transportPort,
} from "../../netlink/nftables/match.ts";
import {
  matchConnectionState,
  matchConnectionStatus,
  matchLocal,
} from "../../netlink/nftables/match-state.ts";
import { dnatToResult, masquerade } from "../../netlink/nftables/nat.ts";
import { addRule, insertRule, type ListedRule } from "../../netlink/nftables/rule.ts";
import { addSet } from "../../netlink/nftables/set.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { type ChainName, forwards, masqueraded, tableOf } from "./layout.ts";
import type { Plan } from "./plan.ts";

/** The family, and the lengths of the networks from which is masqueraded: for each there is a set. */
type Scope = Pick<Plan, "family" | "prefixLengths">;

interface FrameworkRule {
  readonly chain: ChainName;
  readonly expressions: readonly Expression[];
  /** Before the others of its chain. */
  readonly first?: boolean;
}

/** Makes what the layout has and the table, whose rules are `present`, lacks. */
export function addFramework(scope: Scope, present: readonly ListedRule[]): Request[] {
  const { family, prefixLengths } = scope;
  const table = tableOf(family);
  const sets = [
    forwards(family, false),
    forwards(family, true),
    ...[...prefixLengths].map((length) => masqueraded(family, length)),
  ];
  return [
    addTable({ ...table, comment: "Ports forwarded to containers, by CNI plugins" }),
    ...chains(family).map(([name, base]) => addChain({ table, name, ...(base && { base }) })),
    ...sets.map(addSet),
    ...missingRules(scope, present).map(({ chain, expressions, first }) =>
      (first ? insertRule : addRule)({ table, chain, expressions }),
    ),
  ];
}

/** The rules for all ports that are not among those that are `present`. */
export function missingRules(scope: Scope, present: readonly ListedRule[]): FrameworkRule[] {
  // Those with a comment are some container's, and may be thousands.
  const common = present.filter(({ comment }) => comment === undefined);
  return rules(scope).filter(
    ({ chain, expressions }) => !common.some((rule) => rule.chain === chain && isMadeOf(rule, expressions)),
  );
}

/** All chains, each before those that lead to it. */
function chains(family: 4 | 6): [ChainName, Base?][] {
  const nat = { type: "nat", priority: PRIORITY_DSTNAT } as const;
  return [
    ["hostip_hostports"],
    ["hostports"],
    ["hostports_all"],
    ["prerouting", { ...nat, hook: "prerouting" }],
    ["output", { ...nat, hook: "output" }],
    ["masquerading", { ...nat, hook: "postrouting", priority: PRIORITY_SRCNAT }],
    ...(family === 4
      ? [["input", { type: "filter", hook: "input", priority: PRIORITY_FILTER }] satisfies [ChainName, Base]]
      : []),
  ];
}

function rules({ family, prefixLengths }: Scope): FrameworkRule[] {
  const toAll = [matchLocal("daddr"), verdict(jump("hostports_all"))];
  const port = [l4Protocol, transportPort("dport")];
  const to = (...fields: typeof port) =>
    [lookUp(fields, forwards(family, fields.length > 2).name), dnatToResult(family)] as const;
  return [
    { chain: "prerouting", expressions: toAll },
    { chain: "output", expressions: toAll },
    { chain: "hostports_all", expressions: [verdict(jump("hostip_hostports"))], first: true },
    { chain: "hostports_all", expressions: [verdict(jump("hostports"))] },
    { chain: "hostip_hostports", expressions: to(ipAddress("daddr", family), ...port) },
    { chain: "hostports", expressions: to(...port) },
    ...[...prefixLengths].map((length) => ({
      chain: "masquerading" as const,
      expressions: masquerading(family, length),
    })),
    ...(family === 4 ? [{ chain: "input" as const, expressions: fromNeighboursToLoopback() }] : []),
  ];
}

/** `ct status dnat ip saddr & MASK . ip daddr @… masquerade`: of what is forwarded, that which comes from such a network. */
function masquerading(family: 4 | 6, prefixLength: number): Expression[] {
  const fields = [ipNetwork("saddr", family, prefixLength), ipAddress("daddr", family)];
  return [
    matchConnectionStatus("dnat"),
    matchSet(fields, masqueraded(family, prefixLength).name),
    masquerade(),
  ];
}

/**
 * The programs of the host that serve 127.0.0.1 alone: `route_localnet` lets the neighbours on that link ask them too.
 * What was sent to another address, and translated, is meant to come.
 */
function fromNeighboursToLoopback(): Expression[] {
  const loopback = new Cidr(new Ip(Uint8Array.of(127, 0, 0, 0)), 8);
  return [
    matchIp("daddr", loopback),
    matchInterface("iifname", "lo", { not: true }),
    matchIp("saddr", loopback, { not: true }),
    matchConnectionState("new", "invalid", "untracked"),
    matchConnectionStatus("dnat", { not: true }),
    verdict(drop),
  ];
}
