import { hasIptables } from "../../net/iptables/programs.ts";
import { hasNftables } from "../../netlink/nftables/support.ts";
import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { FirewallConfig } from "./config.ts";

const unavailable = (msg: string, details: string) => new CniError(ErrorCode.NotAvailable, msg, details);

export const byNftables = {
  status({ hostNetns }: StatusRequest<FirewallConfig>): void {
    if (!hasNftables(hostNetns))
      throw unavailable(
        "this kernel has no nftables",
        'Load the module nf_tables, or choose "backend": "iptables".',
      );
  },
};

export const byIptables = {
  status({ host }: StatusRequest<FirewallConfig>): void {
    for (const family of [4, 6] as const)
      if (!hasIptables(host, family))
        throw unavailable(
          `program ${family === 4 ? "iptables" : "ip6tables"}-restore not found`,
          'Install iptables, or choose "backend": "nftables", which needs no program.',
        );
  },
};
