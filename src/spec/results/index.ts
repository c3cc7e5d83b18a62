import { CniError, ErrorCode } from "../errors.ts";
import { isObject, member, show } from "../json.ts";
import type { Result } from "../result.ts";
import { incompatibleVersion, isAtLeast, isSupported, VERSIONS } from "../versions.ts";
import * as v020 from "./v020.ts";
import * as v040 from "./v040.ts";
import * as v100 from "./v100.ts";
import * as v110 from "./v110.ts";

/** Reads and writes results of one version of the specification. */
export interface ResultCodec {
  /** Keys match regardless of case; `null` and `{}` are the empty result. Code 6 if it is no result. */
  decode(json: unknown): Result;
  /** What to print as JSON. Code 7 if the version cannot express the result. */
  encode(result: Result): unknown;
}

/** The codec of a version. Code 1 if the version is unknown. */
export function resultCodec(version: string): ResultCodec {
  const { decode, encode } = shapeOf(version);
  return { decode, encode: (result) => encode(result, version) };
}

/**
 * Reads a result in the version it says it is in, else in the configuration's. Code 1 if that is unknown, code 6 for
 * what is no result.
 */
export function readResult(json: unknown, configVersion: string): Result {
  const version = resultVersion(json, configVersion);
  if (isSupported(version)) return (isAtLeast(version, "0.3.0") ? v110 : v020).decode(json);
  throw new CniError(
    ErrorCode.IncompatibleVersion,
    `a result of the unknown version ${show(version)}`,
    `Known are ${VERSIONS.join(", ")}.`,
  );
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

function shapeOf(version: string): Shape {
  switch (version) {
    case "1.1.0":
      return v110;
    case "1.0.0":
      return v100;
    case "0.4.0":
    case "0.3.1":
    case "0.3.0":
      return v040;
    case "0.2.0":
    case "0.1.0":
      return v020;
    default:
      throw incompatibleVersion(version);
  }
}
