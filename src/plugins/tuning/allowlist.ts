import type { Host } from "../../host/host.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { show } from "../../spec/json.ts";
import { compileRe2 } from "./re2.ts";
import type { Sysctl } from "./sysctl.ts";

const ALLOWLIST = "/etc/cni/tuning/allowlist.conf";

/**
 * Refuses, with code 7, sysctls that the host's administrator does not allow: those whose name, as it was written, no
 * line of the allowlist matches. Without that file all are allowed.
 */
export function checkAllowed(host: Host, sysctls: readonly Sysctl[]): void {
  const text = sysctls.length > 0 ? host.readFileIfAny(ALLOWLIST) : undefined;
  if (text === undefined) return;
  const lines = text.split("\n").map((line) => line.trim());
  const allowed = lines.flatMap((line, index) => (line === "" ? [] : [compile(line, index + 1)]));
  for (const { key } of sysctls)
    if (!allowed.some((pattern) => pattern.test(key)))
      throw new CniError(
        ErrorCode.InvalidConfig,
        `sysctl ${key} is not allowed`,
        `${ALLOWLIST} allows what matches one of: ${lines.filter(Boolean).join(" ")}`,
      );
}

function compile(line: string, number: number): RegExp {
  try {
    return compileRe2(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CniError(
      ErrorCode.Plugin,
      `${ALLOWLIST}, line ${number}: invalid regular expression ${show(line)}`,
      error.message,
      { cause: error },
    );
  }
}
