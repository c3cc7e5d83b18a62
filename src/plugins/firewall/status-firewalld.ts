import { isFirewalldRunning } from "../../net/firewall/firewalld.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { FirewallConfig } from "./config.ts";

export function status({ host }: StatusRequest<FirewallConfig>): void {
  if (isFirewalldRunning(host)) return;
  throw new CniError(
    ErrorCode.NotAvailable,
    "firewalld is not running",
    "Start firewalld, or choose another backend.",
  );
}
