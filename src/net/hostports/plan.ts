import { hostCidr } from "../../address/cidr.ts";
import type { Ip } from "../../address/ip.ts";
import type { Expression } from "../../netlink/nftables/expressions.ts";
import { matchIp, matchPort, matchProtocol } from "../../netlink/nftables/match.ts";
import { dnat } from "../../netlink/nftables/nat.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import { type Entry, entriesOf, sourcesOf } from "./layout.ts";
import { ownerComment } from "./owner.ts";
import { forwardsByFamily, type PortForwardWish } from "./wish.ts";

/** The chains that have a rule for a port, where the map does not do, or another implementation made it. */
export const PORT_CHAINS = ["hostip_hostports", "hostports"] as const;

/** A wish in one family, as what is to be in its table. */
export interface Plan {
  readonly family: 4 | 6;
  readonly comment: string;
  /** The container's address. */
  readonly target: Ip;
  readonly entries: readonly Entry[];
  /** For ports with conditions. */
  readonly rules: readonly PortRule[];
  /** Of the networks from which is masqueraded. */
  readonly prefixLengths: ReadonlySet<number>;
}

export interface PortRule {
  readonly chain: (typeof PORT_CHAINS)[number];
  /** Which packets. */
  readonly matches: readonly Expression[];
  /** Where they go. */
  readonly translation: Expression;
  readonly mapping: PortMapping;
}

/** The alternatives of a family's conditions; empty if there are none. */
export type Conditions = (family: 4 | 6) => readonly (readonly Expression[])[];

/** What a wish stands for in nftables, by families; without `conditions`, as if it had none. */
export function plansOf(wish: PortForwardWish, conditions: Conditions = () => []): Plan[] {
  const comment = ownerComment(wish.netns.host, wish);
  return forwardsByFamily(wish).map((forward) => {
    const { family, mappings } = forward;
    const target = forward.target.ip;
    const alternatives = conditions(family);
    const entries = entriesOf(wish, forward, comment);
    return {
      family,
      comment,
      target,
      // Maps know no conditions: such a port has a rule of its own, one for each alternative.
      entries: alternatives.length > 0 ? entries.filter(({ mapping }) => !mapping) : entries,
      rules: mappings.flatMap((mapping) =>
        alternatives.map((alternative) => portRule(mapping, target, alternative)),
      ),
      prefixLengths: new Set(sourcesOf(wish, forward).map(({ prefixLength }) => prefixLength)),
    };
  });
}

/** The rule for a port, in place of an element of a map. */
export function portRule(mapping: PortMapping, target: Ip, conditions: readonly Expression[] = []): PortRule {
  const { hostIP, protocol, hostPort, containerPort } = mapping;
  return {
    chain: hostIP ? "hostip_hostports" : "hostports",
    matches: [
      ...conditions,
      ...(hostIP ? [matchIp("daddr", hostCidr(hostIP))] : []),
      matchProtocol(protocol),
      matchPort("dport", hostPort),
    ],
    translation: dnat(target, containerPort),
    mapping,
  };
}
