import { errno } from "../host/errno.ts";
import { type Host, isErrno } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, type JsonObject, member, show } from "../spec/json.ts";
import { DEFAULT_VERSION, NEWEST_VERSION } from "../spec/versions.ts";
import { LIMIT_ADVICE, waitLimit } from "./limit.ts";

/** A configuration has some hundred bytes; with prevResult and the list of GC some megabytes at the most. */
const STDIN_LIMIT = 64 << 20;
const STDIN_TIMEOUT_MS = 60_000;
const VERSION_TIMEOUT_MS = 3_000;

/** The configuration on stdin, its version known: what is needed to answer, even with an error. */
export interface Input {
  readonly stdin: string;
  readonly rawConfig: JsonObject;
  readonly cniVersion: string;
}

/** Reads stdin to its end. Code 6 if it is no JSON object, 5 if it does not end. */
export async function readInput(host: Host): Promise<Input> {
  const timeoutMs = waitLimit(host, STDIN_TIMEOUT_MS);
  const stdin = readStdin(host, timeoutMs);
  if (stdin === undefined)
    throw new CniError(
      ErrorCode.Io,
      `stdin did not end within ${timeoutMs / 1000} s`,
      `Who calls a plugin writes the configuration to its stdin and closes it. ${LIMIT_ADVICE}`,
    );
  const rawConfig = await parseJson(stdin);
  return { stdin, rawConfig, cniVersion: versionOf(rawConfig) };
}

/**
 * The version to answer VERSION in. Who asks by hand, at a terminal or from far away, may write nothing to stdin and not
 * close it either: then it is the newest. Code 6 as `readInput`.
 */
export async function readVersion(host: Host): Promise<string> {
  const stdin = host.sys.isatty(0) === 1 ? "" : (readStdin(host, waitLimit(host, VERSION_TIMEOUT_MS)) ?? "");
  return stdin.trim() === "" ? NEWEST_VERSION : versionOf(await parseJson(stdin));
}

/** Undefined if it does not end in time. */
function readStdin(host: Host, timeoutMs: number): string | undefined {
  try {
    return host.decode(host.readAll(0, STDIN_LIMIT, timeoutMs, "stdin"));
  } catch (error) {
    if (isErrno(error, errno.ETIMEDOUT)) return undefined;
    throw error;
  }
}

function versionOf(rawConfig: JsonObject): string {
  const cniVersion = member(rawConfig, "cniVersion") ?? "";
  if (typeof cniVersion === "string") return cniVersion || DEFAULT_VERSION;
  throw new CniError(ErrorCode.Decoding, `invalid cniVersion ${show(cniVersion)}`, 'It reads "1.1.0".');
}

async function parseJson(text: string): Promise<JsonObject> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (text.trim() === "") throw noConfiguration("empty", "The runtime writes the configuration there.");
    if (!(error instanceof SyntaxError)) throw noConfiguration("nested too deeply", `${error}`);
    const { describeJsonError } = await import("../spec/json-error.ts");
    throw noConfiguration("not JSON", describeJsonError(text));
  }
  if (!isObject(value)) throw noConfiguration("not a JSON object", `It reads ${show(value)}.`);
  return value;
}

function noConfiguration(problem: string, details: string): CniError {
  return new CniError(ErrorCode.Decoding, `the network configuration on stdin is ${problem}`, details);
}
