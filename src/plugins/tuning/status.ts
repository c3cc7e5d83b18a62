import { S_IFDIR, S_IFMT } from "../../host/host.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { checkAllowed } from "./allowlist.ts";
import { dataDirOf, type TuningConfig } from "./config.ts";
import { sysctlsOf } from "./wish.ts";

/** Throws if an ADD could not succeed now: a sysctl that is none or not allowed, no place for backups. */
export function status({ host, config, stdin }: StatusRequest<TuningConfig>): void {
  checkAllowed(host, sysctlsOf(config, "IFNAME", stdin));
  const dataDir = dataDirOf(config);
  const found = host.statIfAny(dataDir);
  if (found && (found.mode & S_IFMT) !== S_IFDIR)
    throw new CniError(
      ErrorCode.NotAvailable,
      `dataDir ${dataDir} is not a directory`,
      "tuning keeps there what DEL restores.",
    );
}
