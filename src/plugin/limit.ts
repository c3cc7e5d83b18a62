import type { Host } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { show } from "../spec/json.ts";

const VARIABLE = "PLUMB_TIMEOUT_MS";

/**
 * How long to wait for somebody else: for the end of stdin, or for another plugin. In milliseconds: what the
 * environment says, else `standard`. Code 4 if it says nonsense.
 */
export function waitLimit(host: Host, standard: number): number {
  const text = host.variable(VARIABLE) ?? "";
  if (text === "") return standard;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CniError(
    ErrorCode.InvalidEnvironment,
    `invalid ${VARIABLE} ${show(text)}`,
    "It is a number of milliseconds.",
  );
}

/** What to do about a wait that was too short. */
export const LIMIT_ADVICE = `${VARIABLE} in the environment sets another limit.`;
