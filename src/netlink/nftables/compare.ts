import { Reader, Writer } from "../codec.ts";
import { decodeExpressions, type Expression, type ListedExpression, operand } from "./expressions.ts";
import type { ListedRule } from "./rule.ts";

const ANY = 1;
/** These load something; which, their attributes say: NFTA_PAYLOAD_BASE to _LEN, NFTA_META_KEY and its like. */
const LOADS = ["payload", "meta", "ct", "fib"];
const LOADED = [2, 3, 4];

/** Whether a rule of the kernel consists of these expressions, as far as their names, fields and operands tell. */
export function isMadeOf({ expressions }: ListedRule, wanted: readonly Expression[]): boolean {
  return summary(expressions) === textOf(wanted);
}

/** What a rule of the kernel matches, before it decides or translates: a text to compare with that of `textOf`. */
export function matchesOf({ expressions }: ListedRule): string {
  const end = expressions.findIndex(({ name }) => name === "immediate");
  return summary(end < 0 ? expressions : expressions.slice(0, end));
}

/** Expressions as a text, the same for the same names, fields and operands. */
export function textOf(wanted: readonly Expression[]): string {
  const written = new Writer().nest(ANY, (list) => {
    for (const append of wanted) append(list);
  });
  return summary(decodeExpressions(new Reader(written.finish()).attributes().get(ANY)));
}

function summary(expressions: readonly ListedExpression[]): string {
  return expressions.map((expression) => `${expression.name} ${detailOf(expression)};`).join(" ");
}

function detailOf(expression: ListedExpression): string {
  const { name, attributes } = expression;
  if (LOADS.includes(name))
    return LOADED.map((type) => attributes.get(type)?.bytes.join(".") ?? "").join(",");
  const value = operand(expression);
  return value instanceof Uint8Array ? value.join(".") : JSON.stringify(value);
}
