import { isObject, member } from "../json.ts";
import type { Result } from "../result.ts";
import { incompatibleVersion } from "../versions.ts";

/** Reads and writes results of one version of the specification. */
export interface ResultCodec {
  /** Keys match regardless of case; `null` and `{}` are the empty result. Code 6 if it is no result. */
  decode(json: unknown): Result;
  /** What to print as JSON. Code 7 if the version cannot express the result. */
  encode(result: Result): unknown;
}

/** The codec of a version; only the shapes that it needs are loaded. Code 1 if the version is unknown. */
export async function resultCodec(version: string): Promise<ResultCodec> {
  const { decode, encode } = await load(version);
  return { decode, encode: (result) => encode(result, version) };
}

/** The version a result says it is in; what it does not say, the configuration's version answers. */
export function resultVersion(json: unknown, configVersion: string): string {
  const version = isObject(json) ? member(json, "cniVersion") : undefined;
  return typeof version === "string" && version !== "" ? version : configVersion;
}

interface Shape {
  decode(json: unknown): Result;
  encode(result: Result, version: string): unknown;
}

async function load(version: string): Promise<Shape> {
  switch (version) {
    case "1.1.0":
      return await import("./v110.ts");
    case "1.0.0":
      return await import("./v100.ts");
    case "0.4.0":
    case "0.3.1":
    case "0.3.0":
      return await import("./v040.ts");
    case "0.2.0":
    case "0.1.0":
      return await import("./v020.ts");
    default:
      throw incompatibleVersion(version);
  }
}
