import { CniError, ErrorCode } from "./errors.ts";
import { show } from "./json.ts";

const IGNORE_UNKNOWN = "IgnoreUnknown";

/** Parses CNI_ARGS, `KEY=VALUE;KEY=VALUE`. Unset, empty and empty values are fine. Code 4 for a pair that is none. */
export function parseArgs(text: string | undefined): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  if (text === undefined || text === "") return args;
  for (const pair of text.split(";")) {
    const [key, value, more] = pair.split("=");
    if (key === undefined || key === "" || value === undefined || more !== undefined)
      throw invalid(`invalid pair ${show(pair)}`, "CNI_ARGS reads KEY=VALUE;KEY=VALUE.");
    args.set(key, value);
  }
  return args;
}

/** Refuses, with code 4, keys that are not among `known`, unless IgnoreUnknown=1 or =true is there. */
export function checkArgs(args: ReadonlyMap<string, string>, known: readonly string[]): void {
  if (ignoresUnknown(args)) return;
  const unknown = [...args.keys()].filter((key) => key !== IGNORE_UNKNOWN && !known.includes(key));
  if (unknown.length === 0) return;
  const understood = known.length > 0 ? `Understood are ${known.join(", ")}` : "None is understood";
  throw invalid(
    `unknown args ${unknown.join(", ")}`,
    `${understood}; ${IGNORE_UNKNOWN}=1 makes the others be ignored.`,
  );
}

function ignoresUnknown(args: ReadonlyMap<string, string>): boolean {
  const value = args.get(IGNORE_UNKNOWN) ?? "0";
  switch (value.toLowerCase()) {
    case "1":
    case "true":
      return true;
    case "0":
    case "false":
      return false;
    default:
      throw invalid(`invalid ${IGNORE_UNKNOWN} ${show(value)}`, "It is 1, true, 0 or false.");
  }
}

function invalid(problem: string, details: string): CniError {
  return new CniError(ErrorCode.InvalidEnvironment, `CNI_ARGS: ${problem}`, details);
}
