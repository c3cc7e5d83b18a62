import { hostCidr } from "../../address/cidr.ts";
import type { Expression } from "../../netlink/nftables/expressions.ts";
import { matchIp, matchPort, matchProtocol } from "../../netlink/nftables/match.ts";
import { dnat } from "../../netlink/nftables/nat.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import { parseConditions } from "./conditions.ts";
import { type Entry, entriesOf, sourcesOf } from "./layout.ts";
import { ownerComment } from "./owner.ts";
import { type FamilyForwards, forwardsByFamily, type PortForwardWish } from "./wish.ts";

/** The chains that have a rule for a port, if it is forwarded on conditions, or another implementation made it. */
export const PORT_CHAINS = ["hostip_hostports", "hostports"] as const;

/** A wish in one family, as what is to be in its table. */
export interface Plan {
  readonly family: 4 | 6;
  readonly comment: string;
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

/** What a wish stands for in nftables, by families. Code 7 for conditions that are not understood. */
export function plansOf(wish: PortForwardWish): Plan[] {
  const comment = ownerComment(wish.netns.host, wish);
  return forwardsByFamily(wish).map((forward) => {
    const { family } = forward;
    const conditions = (family === 4 ? wish.conditionsV4 : wish.conditionsV6).filter((word) => word !== "");
    const entries = entriesOf(wish, forward, comment);
    return {
      family,
      comment,
      entries: conditions.length > 0 ? entries.filter(({ mapping }) => !mapping) : entries,
      rules: conditions.length > 0 ? conditional(forward, parseConditions(conditions, family)) : [],
      prefixLengths: new Set(sourcesOf(wish, forward).map(({ prefixLength }) => prefixLength)),
    };
  });
}

/** Maps know no conditions: such a port has a rule of its own, one for each alternative. */
function conditional(
  { target, mappings }: FamilyForwards,
  alternatives: readonly Expression[][],
): PortRule[] {
  return mappings.flatMap((mapping) => {
    const { hostIP, protocol, hostPort, containerPort } = mapping;
    return alternatives.map((conditions) => ({
      chain: hostIP ? ("hostip_hostports" as const) : ("hostports" as const),
      matches: [
        ...conditions,
        ...(hostIP ? [matchIp("daddr", hostCidr(hostIP))] : []),
        matchProtocol(protocol),
        matchPort("dport", hostPort),
      ],
      translation: dnat(target.ip, containerPort),
      mapping,
    }));
  });
}
