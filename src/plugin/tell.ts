import type { Host, SysError } from "../host/host.ts";
import { sayOnStderr } from "../log/one-line.ts";
import { type CallPlace, placeOfCall, placeText } from "../log/place.ts";
import type { CniError, ErrorObject } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";
import { ERRORS_TO } from "./errors-to.ts";

/** A failed call as a line, without its end. */
export function failureText(place: CallPlace, { code, message, details }: CniError): string {
  // The details of several failures begin with the first.
  const [what, more] = details.startsWith(message) ? [details, ""] : [message, details];
  return `${placeText(place)} failed: ${what} (code ${code})${more && `. ${more}`}`;
}

/** What to say on stderr of a failed call; "" if the caller does. `unheard`: what he could not be told. */
export function textForStderr(host: Host, place: CallPlace, error: CniError, unheard?: string): string {
  return unheard ?? (isToldByCaller(host) ? "" : failureText(place, error));
}

/** The line on stderr of a plugin that nobody watches. */
export function tellFailure(
  host: Host,
  type: string,
  config: JsonObject | undefined,
  error: CniError,
  unheard?: string,
): void {
  const text = textForStderr(host, placeOfCall(host, config), error, unheard);
  if (text !== "") sayOnStderr(host, `plumb: ${type}: ${text}`);
}

/** A line each. */
export function tellWarnings(
  host: Host,
  type: string,
  config: JsonObject | undefined,
  warnings: readonly string[],
): void {
  const place = placeText(placeOfCall(host, config));
  for (const warning of warnings) sayOnStderr(host, `plumb: ${type}: ${place}: ${warning}`);
}

/** The error object could not be printed: here it is. */
export function refusalText(refused: SysError, object: ErrorObject): string {
  return `${refused.message}: ${JSON.stringify(object)}`;
}

/** Whether the process that started this one tells its errors. */
function isToldByCaller(host: Host): boolean {
  const caller = host.variable(ERRORS_TO) ?? "";
  if (caller === "") return false;
  try {
    // proc_pid_stat(5): the parent stands behind the name, which may hold anything, and the state.
    return /^.*\) \S (\d+) /s.exec(host.readFile("/proc/self/stat"))?.[1] === caller;
  } catch {
    return false;
  }
}
