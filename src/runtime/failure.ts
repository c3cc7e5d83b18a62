import { errno } from "../host/errno.ts";
import { isErrno, SysError } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";

export type Verb = "ADD" | "CHECK" | "DEL" | "GC" | "STATUS" | "VERSION";

/** Where a plugin failed. `network` is absent for VERSION, which belongs to none. */
export interface Place {
  readonly verb: Verb;
  readonly plugin: string;
  readonly network?: string;
}

/** The words of libcni for a verb, by which its users find the lines in their logs. */
const VERB_WORDS = {
  ADD: "add",
  CHECK: "check",
  DEL: "delete",
  GC: "gc",
  STATUS: "status",
  VERSION: "version",
} as const;

/** What a plugin answered instead of success, with its code and details, and where that was. */
export class PluginError extends CniError {
  readonly place: Place;

  constructor(place: Place, code: number, msg: string, details = "") {
    super(code, `plugin type="${place.plugin}" failed (${VERB_WORDS[place.verb]}): ${msg}`, details);
    this.name = "PluginError";
    this.place = place;
  }
}

/** Several failures as one: code and message of the first, all of them in the details. */
export function combined(what: string, failures: readonly CniError[]): CniError {
  const [first] = failures;
  if (first === undefined) throw new Error("there is no failure to combine");
  if (failures.length === 1) return first;
  const details = failures.map((failure) => describe(failure)).join("\n");
  return new CniError(
    first.code,
    `${what}: ${failures.length} failures, the first: ${first.message}`,
    details,
    {
      cause: first,
    },
  );
}

/** Any thrown value as a CniError; what the system refused has code 5, the unexpected 999. */
export function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const cause = { cause: error };
  if (isErrno(error, errno.EPERM, errno.EACCES))
    return new CniError(
      ErrorCode.Io,
      error.message,
      "This must run as root, and plugins must be executable.",
      cause,
    );
  if (error instanceof SysError) return new CniError(ErrorCode.Io, error.message, "", cause);
  const { message, stack = "" } = error instanceof Error ? error : { message: String(error) };
  const details = `This is a fault of plumb itself: please report it with this stack.\n${stack}`;
  return new CniError(ErrorCode.Internal, message, details, cause);
}

function describe({ message, details }: CniError): string {
  return details === "" ? message : `${message}; ${details}`;
}
