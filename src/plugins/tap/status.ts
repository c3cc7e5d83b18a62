import { requireTun } from "../../net/tap.ts";
import { requireSelinux } from "../../net/tap-label.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { TapConfig } from "./config.ts";

/** Throws if an ADD could not succeed now. */
export function status({ host, config, ipam }: StatusRequest<TapConfig>): void {
  try {
    requireTun(host);
    if (config.selinuxContext !== "") requireSelinux(host, config.selinuxContext);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw new CniError(ErrorCode.NotAvailable, error.message, error.details, { cause: error });
  }
  ipam?.status();
}
