/** Statements that neither decide nor translate. */
import { type Expression, expression } from "./expressions.ts";

const NFTA_LIMIT_RATE = 1;
const NFTA_LIMIT_UNIT = 2;
const NFTA_LIMIT_BURST = 3;

/** `counter`: of packets and bytes that came so far in the rule. */
export const counter: Expression = expression("counter");

/** `limit rate PACKETS/second`: only so many packets go on to the next expression. */
export function limit(packets: number, { seconds = 1, burst = 5 } = {}): Expression {
  return expression("limit", (data) =>
    data
      .be64Attribute(NFTA_LIMIT_RATE, packets)
      .be64Attribute(NFTA_LIMIT_UNIT, seconds)
      .be32Attribute(NFTA_LIMIT_BURST, burst),
  );
}
