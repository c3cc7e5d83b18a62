import { show } from "../spec/json.ts";

/** A flag as programs in Go take it: `-name value`, `-name=value`, with one dash or two. */
export interface Flag<T> {
  /** What stands for its value in the help; "" if it needs none. */
  readonly value: string;
  readonly help: string;
  readonly fallback: T;
  /** Undefined if the text is no such value. */
  parse(text: string): T | undefined;
  readonly expected: string;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;

export type Values<F> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** What was typed is wrong: exit code 2. */
export class FlagError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FlagError";
  }
}

export function text(help: string, value: string, fallback = ""): Flag<string> {
  return { help, value, fallback, parse: (typed) => typed, expected: "a text" };
}

export function absolutePath(help: string, fallback = ""): Flag<string> {
  const parse = (typed: string) => (typed === "" || typed.startsWith("/") ? typed : undefined);
  return { help, value: "PATH", fallback, parse, expected: "an absolute path" };
}

/** A switch: `-name`, `-name=true`, `-name=false`. */
export function toggle(help: string): Flag<boolean> {
  const parse = (typed: string) =>
    /^(1|t|T|true|TRUE|True)$/.test(typed) || (/^(0|f|F|false|FALSE|False)$/.test(typed) ? false : undefined);
  return { help, value: "", fallback: false, parse, expected: "true or false" };
}

/** Milliseconds, from what Go takes for a duration: `10s`, `1m30s`, `1.5h`, `500ms`. */
export function duration(help: string, fallback: number, least = 1): Flag<number> {
  const parse = (typed: string) => {
    const ms = parseDuration(typed);
    return ms !== undefined && ms >= least ? ms : undefined;
  };
  const expected = `a duration such as 10s or 1m30s, at least ${least} ms`;
  return { help, value: "DURATION", fallback, parse, expected };
}

/** Reads flags; "help" if that is what is asked for. FlagError names what is wrong. */
export function parseFlags<F extends Flags>(words: readonly string[], flags: F): Values<F> | "help" {
  const values: Record<string, unknown> = {};
  for (const name in flags) values[name] = flags[name]!.fallback;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const [, name, attached] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) throw new FlagError(`unexpected argument ${show(word)}`);
    if (name === "h" || name === "help") return "help";
    if (!Object.hasOwn(flags, name)) throw new FlagError(`unknown flag -${name}`);
    const flag = flags[name]!;
    const typed = attached ?? (flag.value === "" ? "true" : words[++at]);
    if (typed === undefined) throw new FlagError(`-${name} needs a value: -${name} ${flag.value}`);
    const value = flag.parse(typed);
    if (value === undefined) throw new FlagError(`-${name}: expected ${flag.expected}, got ${show(typed)}`);
    values[name] = value;
  }
  return values as Values<F>;
}

/** A line or two for each flag. */
export function flagsHelp(flags: Flags): string {
  const line = ([name, { value, help }]: [string, Flag<unknown>]) =>
    `  ${`-${name}${value && ` ${value}`}`.padEnd(25)} ${help}\n`;
  return Object.entries(flags).map(line).join("");
}

/** Milliseconds; undefined if the text is no duration, or a negative one. */
export function parseDuration(typed: string): number | undefined {
  const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3 };
  if (/^\+?0$/.test(typed)) return 0;
  if (!/^\+?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(typed)) return undefined;
  let ms = 0;
  for (const [, number, unit] of typed.matchAll(/([\d.]+)([a-zµ]+)/g)) ms += Number(number) * units[unit!]!;
  return ms;
}
