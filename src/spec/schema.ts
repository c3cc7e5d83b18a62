import { type Cidr, parseCidr } from "../address/cidr.ts";
import { type Ip, parseIp } from "../address/ip.ts";
import { type MacAddress, parseMac } from "../address/mac.ts";
import { CniError, ErrorCode } from "./errors.ts";
import { isObject, type JsonObject, show } from "./json.ts";

/**
 * What a configuration value must look like, and what it becomes. `parse` throws a CniError of code 7 that names
 * the key (`path`), what was expected and what was found. `shape` tells the same to `json-schema.ts`.
 */
export interface Schema<T> {
  parse(value: unknown, path: string): T;
  readonly shape: Shape;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

export type Shape =
  | { readonly kind: "string"; readonly pattern?: RegExp | undefined; readonly expected?: string | undefined }
  | { readonly kind: "parsed"; readonly expected: string }
  | { readonly kind: "boolean" }
  | { readonly kind: "integer"; readonly min: number | undefined; readonly max: number | undefined }
  | { readonly kind: "oneOf"; readonly values: readonly string[] }
  | { readonly kind: "array"; readonly of: Schema<unknown> }
  | { readonly kind: "object"; readonly fields: Fields }
  | { readonly kind: "dictionary"; readonly of: Schema<unknown> }
  | { readonly kind: "optional"; readonly of: Schema<unknown>; readonly fallback: unknown }
  | { readonly kind: "anything" };

/** A text; with a pattern, `expected` says in words what the pattern wants. */
export function string(
  options: { readonly pattern?: RegExp; readonly expected?: string } = {},
): Schema<string> {
  const { pattern, expected } = options;
  return {
    shape: { kind: "string", pattern, expected },
    parse(value, path) {
      if (typeof value === "string" && (!pattern || pattern.test(value))) return value;
      throw unexpected(path, expected ?? "a string", value);
    },
  };
}

export function boolean(): Schema<boolean> {
  return {
    shape: { kind: "boolean" },
    parse(value, path) {
      if (typeof value === "boolean") return value;
      throw unexpected(path, "true or false", value);
    },
  };
}

/** A whole number from `min` to `max`, both included. */
export function integer(min?: number, max?: number): Schema<number> {
  return {
    shape: { kind: "integer", min, max },
    parse(value, path) {
      if (isInteger(value) && (min === undefined || value >= min) && (max === undefined || value <= max))
        return value;
      const from = min === undefined ? "" : ` from ${min}`;
      const to = max === undefined ? "" : ` up to ${max}`;
      throw unexpected(path, `a whole number${from}${to}`, value);
    },
  };
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Exactly one of the given texts. */
export function oneOf<T extends string>(...values: T[]): Schema<T> {
  return {
    shape: { kind: "oneOf", values },
    parse(value, path) {
      if (values.includes(value as T)) return value as T;
      throw unexpected(path, `one of ${values.map(show).join(", ")}`, value);
    },
  };
}

export function array<T>(of: Schema<T>): Schema<readonly T[]> {
  return {
    shape: { kind: "array", of },
    parse(value, path) {
      if (!Array.isArray(value)) throw unexpected(path, "a list", value);
      return value.map((item, index) => of.parse(item, `${path}[${index}]`));
    },
  };
}

export interface Fields {
  readonly [name: string]: Schema<unknown>;
}

/** The keys that may be absent are absent then, not undefined. */
export type ObjectOf<F extends Fields> = {
  readonly [K in keyof F as undefined extends Infer<F[K]> ? never : K]: Infer<F[K]>;
} & {
  readonly [K in keyof F as undefined extends Infer<F[K]> ? K : never]?: Infer<F[K]> | undefined;
};

/** An object with the given keys, in any case. Other keys are ignored; `null` counts as absent. */
export function object<F extends Fields>(fields: F): Schema<ObjectOf<F>> {
  const names = new Map(
    Object.keys(fields).flatMap((name) => [[name.toLowerCase(), name] as const, [name, name] as const]),
  );
  return {
    shape: { kind: "object", fields },
    parse(value, path) {
      if (!isObject(value)) throw unexpected(path, "an object", value);
      const given = matchKeys(value, names);
      const result: Record<string, unknown> = {};
      for (const name in fields) {
        const item = parseMember(fields[name]!, given[name], path, name);
        if (item !== undefined) result[name] = item;
      }
      return result as ObjectOf<F>;
    },
  };
}

/** The members of a JSON object whose keys are in `names`, by their proper name; the exact key wins. See `member`. */
function matchKeys(value: JsonObject, names: ReadonlyMap<string, string>): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const key in value) {
    const name = names.get(key) ?? names.get(key.toLowerCase());
    if (name !== undefined && (key === name || given[name] === undefined))
      given[name] = value[key] ?? undefined;
  }
  return given;
}

/** Most keys of most configurations are absent: nothing is parsed then, and no path made. */
function parseMember(field: Schema<unknown>, value: unknown, path: string, name: string): unknown {
  const { shape } = field;
  return value === undefined && shape.kind === "optional"
    ? shape.fallback
    : field.parse(value, keyPath(path, name));
}

/** An object whose keys are data, as names of sysctls are; they keep their case. */
export function dictionary<T>(of: Schema<T>): Schema<Readonly<Record<string, T>>> {
  return {
    shape: { kind: "dictionary", of },
    parse(value, path) {
      if (!isObject(value)) throw unexpected(path, "an object", value);
      const entries = Object.entries(value).map(([key, item]) => [key, of.parse(item, keyPath(path, key))]);
      return Object.fromEntries(entries);
    },
  };
}

/**
 * A value that may be absent or `null`; it becomes `fallback`. So does "" where the text must be an address or one
 * of a few words: runtimes written in Go send it for what is not set.
 */
export function optional<T>(of: Schema<T>): Schema<T | undefined>;
export function optional<T>(of: Schema<T>, fallback: T): Schema<T>;
export function optional<T>(of: Schema<T>, fallback?: T): Schema<T | undefined> {
  const { kind } = of.shape;
  const emptyIsAbsent = kind === "parsed" || (kind === "oneOf" && !of.shape.values.includes(""));
  return {
    shape: { kind: "optional", of, fallback },
    parse(value, path) {
      const isAbsent = value === undefined || value === null || (value === "" && emptyIsAbsent);
      return isAbsent ? fallback : of.parse(value, path);
    },
  };
}

export function anything(): Schema<unknown> {
  return { shape: { kind: "anything" }, parse: (value) => value };
}

/** A text that stands for a value; `parse` gives undefined if it does not. `expected` reads on from "expected". */
export function parsed<T>(parse: (text: string) => T | undefined, expected: string): Schema<T> {
  return {
    shape: { kind: "parsed", expected },
    parse(value, path) {
      const result = typeof value === "string" ? parse(value) : undefined;
      if (result !== undefined) return result;
      throw unexpected(path, expected, value);
    },
  };
}

export function ip(): Schema<Ip> {
  return parsed(parseIp, "an IP address such as 10.1.0.1");
}

/** An address with its prefix length. The host bits are kept: `.network` drops them. */
export function cidr(): Schema<Cidr> {
  return parsed(parseCidr, "a network such as 10.1.0.0/16");
}

export function mac(): Schema<MacAddress> {
  return parsed(parseMac, "a MAC address such as 00:00:5e:00:53:01");
}

/** The error for a wrong value, also for checks that no schema makes. `expected` reads on from "expected". */
export function unexpected(path: string, expected: string, value: unknown): CniError {
  const place = path === "" ? "" : `${path}: `;
  return new CniError(
    ErrorCode.InvalidConfig,
    `invalid configuration: ${place}expected ${expected}, got ${show(value)}`,
  );
}

function keyPath(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
