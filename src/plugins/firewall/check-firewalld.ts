import { checkTrusted } from "../../net/firewall/firewalld-check.ts";
import { checkNftables } from "../../net/firewall/nftables-check.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";
import { wishOf } from "./wish.ts";
import { zoneOf } from "./zone.ts";

export function check(request: CheckRequest<FirewallConfig>): void {
  const { host, config } = request;
  const wish = wishOf(request);
  checkTrusted({ host, zone: zoneOf(config), addresses: wish.addresses });
  if (wish.ingress) checkNftables({ ...wish, addresses: [] });
}
