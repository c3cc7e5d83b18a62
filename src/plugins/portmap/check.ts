import { damaged } from "../../net/damaged.ts";
import { checkIptablesForwards } from "../../net/hostports/iptables-check.ts";
import { checkNftablesForwards } from "../../net/hostports/nftables-check.ts";
import type { PortForwardWish } from "../../net/hostports/wish.ts";
import { eitherOf } from "../../net/iptables/either.ts";
import { linkTo, loopbackTarget } from "../../net/route-localnet.ts";
import { readSysctl } from "../../net/sysctl.ts";
import { getLinkByIndex } from "../../netlink/link.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import { backendOf, type PortmapConfig, wishOf } from "./config.ts";

const hasConditions = ({ conditionsV4, conditionsV6 }: PortForwardWish) =>
  conditionsV4.length + conditionsV6.length > 0;

/** Throws if a port is not forwarded as ADD has left it. */
export function check(request: CheckRequest<PortmapConfig>): void {
  const { config, hostNetns, prevResult } = request;
  const backend = backendOf(config);
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  const wish = wishOf(request, prevResult);
  if (wish.mappings.length === 0) return;
  if (backend === "iptables") checkIptablesForwards(wish);
  else {
    // The reference prefers iptables; its conditions are in another language.
    const isUnsaid = config.backend === undefined && !hasConditions(wish);
    eitherOf(() => checkNftablesForwards(wish), isUnsaid && (() => checkIptablesForwards(wish)));
  }
  const local = loopbackTarget(wish);
  const index = local && linkTo(hostNetns, local);
  const link = index && hostNetns.route.query(getLinkByIndex(index));
  if (link && readSysctl(hostNetns, `net/ipv4/conf/${link.name}/route_localnet`) !== "1")
    throw damaged(`the ports are not reached by 127.0.0.1: route_localnet of ${link.name} is off`);
}
