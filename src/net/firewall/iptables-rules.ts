/**
 * The firewall's layout in the table filter of iptables, which other implementations of the plugin know: FORWARD
 * leads to CNI-ISOLATION-STAGE-1, which drops what goes from one bridge with a policy to another one, then to
 * CNI-FORWARD, which leads to the administrator's chain and accepts what comes from containers, and answers to them.
 */
import type { Cidr } from "../../address/cidr.ts";
import type { FirewallWish, Ingress } from "./wish.ts";

export const FORWARD = "FORWARD";
export const CONTAINERS = "CNI-FORWARD";
export const STAGE_1 = "CNI-ISOLATION-STAGE-1";
export const STAGE_2 = "CNI-ISOLATION-STAGE-2";

const COMMENT = "CNI firewall plugin rules";

/** A rule as iptables-save prints it, and where it belongs. */
export interface WantedRule {
  readonly chain: string;
  readonly text: string;
  /** In front of all others in its chain, or behind them. */
  readonly place: "first" | "last";
  /** A text in which each rule that may be this one differs from most others, one character a byte. */
  readonly mention: string;
}

export interface WantedRules {
  /** Those that must exist besides FORWARD. */
  readonly chains: readonly string[];
  /** In the order in which they are made: each `first` one goes before those already there. */
  readonly rules: readonly WantedRule[];
}

/** What one family needs; nothing without an address of it. */
export function wantedRules({ addresses, adminChain, ingress }: FirewallWish, family: 4 | 6): WantedRules {
  const ofFamily = addresses.filter((address) => address.family === family);
  if (ofFamily.length === 0) return { chains: [], rules: [] };
  const jump = (chain: string, comment: string, to: string) =>
    rule(chain, "first", `-m comment --comment ${JSON.stringify(comment)} -j ${to}`, to);
  return {
    chains: [CONTAINERS, adminChain, ...(ingress ? [STAGE_1, STAGE_2] : [])],
    rules: [
      jump(FORWARD, COMMENT, CONTAINERS),
      jump(CONTAINERS, `${COMMENT.replace("rules", "admin overrides")}`, adminChain),
      ...ofFamily.flatMap(addressRules),
      ...(ingress ? isolationRules(ingress) : []),
    ],
  };
}

/** What accepts the packets of one address. */
export function addressRules({ host, ip }: Cidr): WantedRule[] {
  const mention = String.fromCharCode(...ip.bytes);
  return [
    rule(CONTAINERS, "last", `-d ${host} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`, mention),
    rule(CONTAINERS, "last", `-s ${host} -j ACCEPT`, mention),
  ];
}

/** Packets that only pass through the bridge have its name, where iptables sees them; a VLAN's routed ones do not. */
function isolationRules({ policy, bridge, router }: Ingress): WantedRule[] {
  const comment = (policies: string) => `-m comment --comment "${COMMENT} (ingressPolicy: ${policies})"`;
  const [own, any] = [comment(policy), comment("same-bridge|isolated")];
  const names = bridge === router ? [bridge] : [bridge, router];
  const of = (rest: (name: string) => WantedRule) => names.map(rest);
  return [
    rule(FORWARD, "first", `${any} -j ${STAGE_1}`, STAGE_1),
    ...of((name) => rule(STAGE_1, "first", `-i ${name} ! -o ${name} ${own} -j ${STAGE_2}`, name)),
    ...(policy === "isolated"
      ? of((name) => rule(STAGE_1, "first", `-i ${name} -o ${name} ${own} -j DROP`, name))
      : []),
    rule(STAGE_1, "last", `${any} -j RETURN`, COMMENT),
    ...of((name) => rule(STAGE_2, "first", `-o ${name} ${any} -j DROP`, name)),
    rule(STAGE_2, "last", `${any} -j RETURN`, COMMENT),
  ];
}

function rule(chain: string, place: "first" | "last", rest: string, mention: string): WantedRule {
  return { chain, place, text: `-A ${chain} ${rest}`, mention };
}
