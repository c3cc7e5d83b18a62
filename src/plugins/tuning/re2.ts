/** Classes of ASCII characters by their names: [[:alpha:]]. */
const NAMED: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7f",
  blank: "\\t ",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\t-\\r ",
  upper: "A-Z",
  word: "\\w",
  xdigit: "0-9A-Fa-f",
};

/** What JavaScript says in another way. */
const ESCAPES: Readonly<Record<string, string>> = { A: "^", z: "$", a: "\\x07" };

/** What the two languages read differently: quoted text, classes (whose first character may be a bracket), escapes, groups. */
const PIECE =
  /\\Q(.*?)(?:\\E|$)|\[(\^?)(\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*)\]|(\\x\{[0-9a-fA-F]{1,6}\}|\\.?)|\(\?(P?<(?![=!])|[^<]?)/g;

/** The same within a class. */
const CLASS_PIECE = /(\\x\{[0-9a-fA-F]{1,6}\}|\\.)|\[:(\^?\w+):\]|^\]|\[/g;

/**
 * Compiles a regular expression in the syntax of RE2 (github.com/google/re2/wiki/Syntax), which is Go's. Throws
 * SyntaxError for what is wrong, and for what has no counterpart: \p, \C, flags elsewhere than at the beginning.
 */
export function compileRe2(pattern: string): RegExp {
  const [head = "", flags = ""] = /^\(\?([ims]+)\)/.exec(pattern) ?? [];
  const translated = pattern
    .slice(head.length)
    .replace(
      PIECE,
      (_, quoted?: string, negation?: string, items?: string, escaped?: string, kind?: string) => {
        if (quoted !== undefined) return literally(quoted);
        if (items !== undefined) return `[${negation}${translateClass(items)}]`;
        return escaped === undefined ? translateGroup(kind!) : translateEscape(escaped);
      },
    );
  return new RegExp(translated, flags);
}

function translateClass(items: string): string {
  return items.replace(CLASS_PIECE, (piece, escaped?: string, name?: string) => {
    if (escaped !== undefined) return translateEscape(escaped);
    if (name === undefined) return `\\${piece}`;
    if (Object.hasOwn(NAMED, name)) return NAMED[name]!;
    throw new SyntaxError(`no class ${piece} here`);
  });
}

/** Punctuation stands for itself, letters for what they mean in both; there are no references to groups. */
function translateEscape(escaped: string): string {
  const character = escaped.slice(1);
  if (character.length > 1)
    return literally(String.fromCodePoint(Number.parseInt(character.slice(2, -1), 16)));
  if (/^[\W_]$/.test(character)) return literally(character);
  if (/^[bBdDfnrstSvwWx]$/.test(character)) return escaped;
  if (Object.hasOwn(ESCAPES, character)) return ESCAPES[character]!;
  throw new SyntaxError(`${escaped} is not known here`);
}

function translateGroup(kind: string): string {
  if (kind === ":") return "(?:";
  if (kind.endsWith("<")) return "(?<";
  throw new SyntaxError(`(?${kind} is not known here`);
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
