import { type Cidr, parseCidr } from "../address/cidr.ts";
import { type Ip, parseIp } from "../address/ip.ts";
import { type MacAddress, parseMac } from "../address/mac.ts";
import { CniError, ErrorCode } from "./errors.ts";
import { isObject, type JsonObject, member, show } from "./json.ts";

/**
 * What a configuration value must look like, and what it becomes. `parse` throws a CniError of code 7 that names
 * the key (`path`), what was expected and what was found. `json` makes the JSON Schema for editors when asked.
 */
export interface Schema<T> {
  parse(value: unknown, path: string): T;
  json(): JsonObject;
  /** The key may be missing. */
  readonly isOptional?: true;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

/** A text; with a pattern, `expected` says in words what the pattern wants. */
export function string(options?: { readonly pattern?: RegExp; readonly expected?: string }): Schema<string> {
  const { pattern, expected = "a string" } = options ?? {};
  return {
    parse(value, path) {
      if (typeof value !== "string" || (pattern && !pattern.test(value)))
        throw unexpected(path, expected, value);
      return value;
    },
    json: () => ({
      type: "string",
      ...(pattern && { pattern: pattern.source }),
      ...(options?.expected && { description: expected }),
    }),
  };
}

export function boolean(): Schema<boolean> {
  return {
    parse(value, path) {
      if (typeof value !== "boolean") throw unexpected(path, "true or false", value);
      return value;
    },
    json: () => ({ type: "boolean" }),
  };
}

/** A whole number from `min` to `max`, both included. */
export function integer(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Schema<number> {
  const bounded = {
    ...(min > Number.MIN_SAFE_INTEGER && { minimum: min }),
    ...(max < Number.MAX_SAFE_INTEGER && { maximum: max }),
  };
  return {
    parse(value, path) {
      if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
        throw unexpected(path, `a whole number${range(bounded)}`, value);
      return value as number;
    },
    json: () => ({ type: "integer", ...bounded }),
  };
}

function range({ minimum, maximum }: { minimum?: number; maximum?: number }): string {
  if (minimum === undefined) return maximum === undefined ? "" : ` up to ${maximum}`;
  return maximum === undefined ? ` from ${minimum}` : ` from ${minimum} to ${maximum}`;
}

/** Exactly one of the given texts. */
export function oneOf<T extends string>(...values: T[]): Schema<T> {
  return {
    parse(value, path) {
      if (!values.includes(value as T))
        throw unexpected(path, `one of ${values.map(show).join(", ")}`, value);
      return value as T;
    },
    json: () => ({ enum: values }),
  };
}

export function array<T>(of: Schema<T>): Schema<readonly T[]> {
  return {
    parse(value, path) {
      if (!Array.isArray(value)) throw unexpected(path, "a list", value);
      return value.map((item, index) => of.parse(item, `${path}[${index}]`));
    },
    json: () => ({ type: "array", items: of.json() }),
  };
}

export interface Fields {
  readonly [name: string]: Schema<unknown>;
}

/** An object with the given keys, in any case. Other keys are ignored; `null` counts as absent. */
export function object<F extends Fields>(fields: F): Schema<{ readonly [K in keyof F]: Infer<F[K]> }> {
  return {
    parse(value, path) {
      if (!isObject(value)) throw unexpected(path, "an object", value);
      const result: Record<string, unknown> = {};
      const prefix = path === "" ? "" : `${path}.`;
      for (const name in fields) result[name] = fields[name]!.parse(member(value, name), prefix + name);
      return result as { [K in keyof F]: Infer<F[K]> };
    },
    json: () => ({
      type: "object",
      properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.json()])),
      required: Object.keys(fields).filter((name) => !fields[name]!.isOptional),
    }),
  };
}

/** A value that may be absent or `null`; it becomes `fallback`. */
export function optional<T>(of: Schema<T>): Schema<T | undefined>;
export function optional<T>(of: Schema<T>, fallback: T): Schema<T>;
export function optional<T>(of: Schema<T>, fallback?: T): Schema<T | undefined> {
  return {
    isOptional: true,
    parse: (value, path) => (value === undefined || value === null ? fallback : of.parse(value, path)),
    json: () => ({ ...of.json(), ...(fallback !== undefined && { default: fallback }) }),
  };
}

/** An object whose keys are data, as sysctl names; they keep their case. */
export function dictionary<T>(of: Schema<T>): Schema<Readonly<Record<string, T>>> {
  return {
    parse(value, path) {
      if (!isObject(value)) throw unexpected(path, "an object", value);
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, of.parse(item, `${path}.${key}`)]),
      );
    },
    json: () => ({ type: "object", additionalProperties: of.json() }),
  };
}

export function anything(): Schema<unknown> {
  return { parse: (value) => value, json: () => ({}) };
}

/** A text that stands for a value; `parse` gives undefined if it does not. `expected` as in "expected an IP address". */
export function parsed<T>(parse: (text: string) => T | undefined, expected: string): Schema<T> {
  return {
    parse(value, path) {
      const result = typeof value === "string" ? parse(value) : undefined;
      if (result === undefined) throw unexpected(path, expected, value);
      return result;
    },
    json: () => ({ type: "string", description: expected }),
  };
}

export function ip(): Schema<Ip> {
  return parsed(parseIp, "an IP address such as 10.1.0.1");
}

export function cidr(): Schema<Cidr> {
  return parsed(parseCidr, "a network such as 10.1.0.0/16");
}

export function mac(): Schema<MacAddress> {
  return parsed(parseMac, "a MAC address such as 00:00:5e:00:53:01");
}

/** The error for a wrong value, for checks that no schema makes. `expected` reads on from "expected". */
export function unexpected(path: string, expected: string, value: unknown): CniError {
  const place = path === "" ? "" : `${path}: `;
  return new CniError(
    ErrorCode.InvalidConfig,
    `invalid configuration: ${place}expected ${expected}, got ${show(value)}`,
  );
}
