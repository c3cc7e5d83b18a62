/** Where text stops being JSON, and what stands there. Lines and columns count from 1. */
export interface JsonErrorPlace {
  readonly line: number;
  readonly column: number;
  readonly found: string;
}

const TOKEN =
  /[{}[\]:,]|"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** How much of the text before the place is shown. */
const SHOWN = 30;

type Expectation = "value" | "value or ]" | "key" | "key or }" | ":" | ", or end" | "nothing";

/**
 * Finds the first place at which no JSON (RFC 8259) can go on. Engines say it in their own ways or not at all; this is
 * asked only after JSON.parse has refused the text.
 */
export function locateJsonError(text: string): JsonErrorPlace {
  const open: string[] = [];
  let expected: Expectation = "value";
  let at = skipSpace(text, 0);
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    const next: Expectation | undefined = token === undefined ? undefined : step(token, expected, open);
    if (next === undefined) break;
    expected = next;
    at = skipSpace(text, at + token!.length);
  }
  const lines = text.slice(0, at).split("\n");
  return { line: lines.length, column: lines.at(-1)!.length + 1, found: describe(text, at) };
}

/** The same in words, for who looks for the place: `Unexpected end of text in line 1, column 9, after {"name":`. */
export function describeJsonError(text: string): string {
  const { line, column, found } = locateJsonError(text);
  const before = text
    .split("\n", line)
    .at(-1)!
    .slice(0, column - 1)
    .trim();
  const shown = before.length > SHOWN ? `...${before.slice(-SHOWN)}` : before;
  return `Unexpected ${found} in line ${line}, column ${column}${shown && `, after ${shown}`}`;
}

/** What may follow a token, undefined if the token itself may not stand here. */
function step(token: string, expected: Expectation, open: string[]): Expectation | undefined {
  const after = () => (open.length > 0 ? ", or end" : "nothing");
  const valueMayStand = expected === "value" || expected === "value or ]";
  switch (token) {
    case "{":
    case "[":
      if (!valueMayStand) return undefined;
      open.push(token);
      return token === "{" ? "key or }" : "value or ]";
    case "}":
    case "]": {
      const [opening, whenEmpty] = token === "}" ? ["{", "key or }"] : ["[", "value or ]"];
      if (open.at(-1) !== opening || (expected !== ", or end" && expected !== whenEmpty)) return undefined;
      open.pop();
      return after();
    }
    case ":":
      return expected === ":" ? "value" : undefined;
    case ",":
      if (expected !== ", or end") return undefined;
      return open.at(-1) === "{" ? "key" : "value";
    default:
      if (expected === "key" || expected === "key or }") return token.startsWith('"') ? ":" : undefined;
      return valueMayStand ? after() : undefined;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  return at;
}

function describe(text: string, at: number): string {
  if (at >= text.length) return "end of text";
  return JSON.stringify(/^(?:"[^"\n]{0,20}|\w{1,20}|.)/su.exec(text.slice(at, at + 24))![0]);
}
