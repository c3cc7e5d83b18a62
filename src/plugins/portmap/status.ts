import { parseConditions } from "../../net/hostports/conditions.ts";
import { saveIptables } from "../../net/iptables/programs.ts";
import { hasNftables } from "../../netlink/nftables/support.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { backendOf, type PortmapConfig } from "./config.ts";

/** Throws if an ADD could not succeed now: the kernel, or iptables, does not do what is needed. */
export function status({ config, host, hostNetns }: StatusRequest<PortmapConfig>): void {
  if (backendOf(config) === "iptables") {
    saveIptables(host, 4, "nat");
    return;
  }
  parseConditions(config.conditionsV4, 4);
  parseConditions(config.conditionsV6, 6);
  if (!hasNftables(hostNetns))
    throw new CniError(
      ErrorCode.NotAvailable,
      "this kernel has no nftables",
      'Load the module nf_tables, or choose "backend": "iptables".',
    );
}
