/** Looking fields up in sets and maps. */
import type { Writer } from "../codec.ts";
import { type Expression, expression, type Field, register } from "./expressions.ts";
import type { Not } from "./match.ts";

const NFTA_LOOKUP_SET = 1;
const NFTA_LOOKUP_SREG = 2;
const NFTA_LOOKUP_DREG = 3;
const NFTA_LOOKUP_FLAGS = 5;
const NFT_LOOKUP_F_INV = 1;
const NFT_REG_VERDICT = 0;

/** `ip daddr . th dport @SET`: the fields together are an element of the set. */
export function matchSet(fields: readonly Field[], set: string, { not = false }: Not = {}): Expression {
  return lookup(fields, set, (data) => {
    if (not) data.be32Attribute(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  });
}

/** `ip daddr . th dport vmap @MAP`: the map decides; without element the packet goes on to the next rule. */
export function verdictFromMap(fields: readonly Field[], map: string): Expression {
  return lookup(fields, map, (data) => data.be32Attribute(NFTA_LOOKUP_DREG, NFT_REG_VERDICT));
}

/** Puts what the map holds into the first registers; without element the packet goes on to the next rule. */
export function lookUp(fields: readonly Field[], map: string): Expression {
  return lookup(fields, map, (data) => data.be32Attribute(NFTA_LOOKUP_DREG, register(0)));
}

function lookup(fields: readonly Field[], set: string, rest: (data: Writer) => void): Expression {
  return (into) => {
    let index = 0;
    for (const { length, load } of fields) {
      load(register(index))(into);
      index += (length + 3) >> 2;
    }
    expression("lookup", (data) => {
      data.textAttribute(NFTA_LOOKUP_SET, set).be32Attribute(NFTA_LOOKUP_SREG, register(0));
      rest(data);
    })(into);
  };
}
