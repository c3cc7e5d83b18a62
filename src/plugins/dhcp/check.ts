import type { CheckRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { readResult } from "../../spec/results/index.ts";
import { NEWEST_VERSION } from "../../spec/versions.ts";
import { askDaemon, attachmentOf } from "./ask.ts";
import type { DhcpConfig } from "./config.ts";

/** Throws if the daemon has no lease for the container, or by now one of other addresses than ADD gave. */
export function check(request: CheckRequest<DhcpConfig>): void {
  const answer = askDaemon(request, { command: "CHECK", ...attachmentOf(request) });
  const { prevResult, ifName } = request;
  if (!prevResult) return;
  for (const { address } of readResult(answer, NEWEST_VERSION).ips ?? [])
    if (!prevResult.ips?.some((given) => given.address.ip.equals(address.ip)))
      throw new CniError(
        ErrorCode.Plugin,
        `the lease of ${ifName} is of ${address} by now`,
        "A server or router has changed it since ADD, whose result does not have that address.",
      );
}
