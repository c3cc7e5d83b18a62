import { Reader, Writer } from "../codec.ts";
import { decodeExpressions, type Expression, type ListedExpression, operand } from "./expressions.ts";
import type { ListedRule } from "./rule.ts";

const ANY = 1;

/** Whether a rule of the kernel consists of these expressions, as far as their names and operands tell. */
export function isMadeOf({ expressions }: ListedRule, wanted: readonly Expression[]): boolean {
  const written = new Writer().nest(ANY, (list) => {
    for (const append of wanted) append(list);
  });
  const decoded = decodeExpressions(new Reader(written.finish()).attributes().get(ANY));
  return summary(expressions) === summary(decoded);
}

function summary(expressions: readonly ListedExpression[]): string {
  return expressions
    .map((expression) => {
      const value = operand(expression);
      return `${expression.name} ${value instanceof Uint8Array ? value.join(".") : JSON.stringify(value)}`;
    })
    .join("; ");
}
