import { checkIptables } from "../../net/firewall/iptables-check.ts";
import { checkNftables } from "../../net/firewall/nftables-check.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";
import { wishOf } from "./wish.ts";

export const byNftables = {
  check: (request: CheckRequest<FirewallConfig>): void => checkNftables(wishOf(request)),
};

export const byIptables = {
  check: (request: CheckRequest<FirewallConfig>): void => checkIptables(wishOf(request)),
};
