import type { Cidr } from "../../address/cidr.ts";
import { errno } from "../../host/errno.ts";
import type { Namespace } from "../../net/namespace.ts";
import type { LinkAddress } from "../../netlink/address.ts";
import type { Request } from "../../netlink/message.ts";
import type { LinkRoute } from "../../netlink/route-list.ts";
import { addRule, FR_ACT_TO_TBL, type Rule, removeRule } from "../../netlink/rule.ts";
import type { Undo } from "../../plugin/types.ts";

/** Packets from an address are routed by a table of its own: `from 10.1.0.2 lookup 100`. */

/** Tables below are left to others, as the reference does. */
export const FIRST_TABLE = 100;
/** Marks rules, and routes that ADD did not find but made; no other routing daemon has it (/etc/iproute2/rt_protos). */
export const PROTOCOL = 112;

export interface SourceRule extends Rule {
  /** A single address. */
  readonly from: Cidr;
  readonly table: number;
}

/** What is sent from this address goes by this table. */
export function sourceRule(address: Cidr, table: number): SourceRule {
  return { family: address.family, from: address.host, table, protocol: PROTOCOL };
}

/** Whether a rule looks as if made here, or by the reference. */
export function isSourceRule(rule: Rule): rule is SourceRule {
  const { from, to, input, output, mark, table, l3mdev, invert, action } = rule;
  return (
    from?.equals(from.host) === true &&
    table !== undefined &&
    action === FR_ACT_TO_TBL &&
    [to, input, output, mark].every((selector) => selector === undefined) &&
    !l3mdev &&
    !invert
  );
}

/** Whether a rule was made here and has lost its meaning: nobody has the address, and the table is empty. */
export function isDead(
  { protocol, from, table }: SourceRule,
  routes: readonly LinkRoute[],
  addresses: readonly LinkAddress[],
): boolean {
  return (
    protocol === PROTOCOL &&
    !addresses.some(({ cidr }) => cidr.ip.equals(from.ip)) &&
    !routes.some((route) => route.table === table)
  );
}

/** Requests to add the rules that are not there yet, whatever else they are sent with. */
export function addRules(
  netns: Namespace,
  wanted: readonly SourceRule[],
  present: readonly Rule[],
  undo: Undo,
): Request[] {
  const missing = wanted.filter(
    ({ from, table }) =>
      !present.some((rule) => isSourceRule(rule) && rule.from.equals(from) && rule.table === table),
  );
  undo.add("remove the rules", () => removeRules(netns, missing));
  return missing.map(addRule);
}

/** Removes rules; those that have gone are no error. */
export function removeRules({ route }: Namespace, rules: readonly Rule[]): void {
  route.execute(rules.map(removeRule), errno.ENOENT);
}
