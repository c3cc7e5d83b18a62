import { show } from "../spec/json.ts";

/** An option of a command, named `--NAME`. */
export interface Option {
  /** One letter: `-i`. */
  readonly short?: string;
  /** What stands for its value in the help: `ID/IFNAME`. Absent: it takes none. */
  readonly value?: string;
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

/** How a command ends. */
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** A command that was typed wrongly. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** What was typed behind the name of a command. */
export class Arguments {
  readonly operands: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(operands: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.operands = operands;
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The option's value; of several the last. */
  value(name: string): string | undefined {
    return this.values(name).at(-1);
  }

  /** The values of an option that may be repeated. */
  values(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/**
 * Reads `--name value`, `--name=value`, `-n value`, `-nvalue` and operands, in any order; behind `--` all are operands.
 * With `ownCommand`, the first operand ends the options: what follows belongs to it.
 */
export function parseArguments(words: readonly string[], options: Options, ownCommand = false): Arguments {
  const operands: string[] = [];
  const values = new Map<string, string[]>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--" || (ownCommand && !isOption(word))) {
      operands.push(...words.slice(word === "--" ? at + 1 : at));
      break;
    }
    if (!isOption(word)) {
      operands.push(word);
      continue;
    }
    const { typed, attached } = split(word);
    const name = nameOf(typed, options);
    let value = attached;
    if (options[name]!.value === undefined) {
      if (value !== undefined) throw new UsageError(`${typed} takes no value, got ${show(value)}`);
    } else if (value === undefined) {
      value = words[++at];
      if (value === undefined)
        throw new UsageError(`${typed} needs a value: ${typed} ${options[name]!.value}`);
    }
    values.set(name, [...(values.get(name) ?? []), value ?? ""]);
  }
  return new Arguments(operands, values);
}

/** The operands, which must be as many as named; the names of those that may be missing or empty are in brackets. */
export function takeOperands(args: Arguments, ...names: string[]): string[] {
  const { operands } = args;
  for (const [at, name] of names.entries())
    if (!name.startsWith("[") && !operands[at])
      throw new UsageError(`${name} is ${at < operands.length ? "empty" : "missing"}`);
  if (operands.length > names.length)
    throw new UsageError(`unexpected argument ${show(operands[names.length])}`);
  return [...operands];
}

function isOption(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function split(word: string): { typed: string; attached: string | undefined } {
  const end = word.startsWith("--") ? word.indexOf("=") : 2;
  if (end < 0 || end >= word.length) return { typed: word, attached: undefined };
  const attached = word.slice(word.startsWith("--") ? end + 1 : end);
  return { typed: word.slice(0, end), attached };
}

function nameOf(typed: string, options: Options): string {
  for (const [name, { short }] of Object.entries(options))
    if (typed === `--${name}` || typed === `-${short}`) return name;
  throw new UsageError(`unknown option ${typed}`);
}
