import { isDefault } from "../../net/configure.ts";
import { damaged } from "../../net/damaged.ts";
import { verifyRoutes } from "../../net/verify.ts";
import { requireLink } from "../../net/veth.ts";
import { RT_TABLE_MAIN } from "../../netlink/route.ts";
import { partBy } from "../../netlink/route-copy.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { IpConfig } from "../../spec/result.ts";
import { addressesOf, checkConfig, gatewayOf, requireResult, type SbrConfig } from "./config.ts";
import { type Routing, readRouting, tableOf, vrfTableOf } from "./routing.ts";
import { isSourceRule } from "./rules.ts";

/** Throws if a rule is missing, or what its table must have. */
export function check(request: CheckRequest<SbrConfig>): void {
  const { config, netns, ifName } = request;
  checkConfig(config);
  const result = requireResult(request.prevResult, ifName);
  const routing = readRouting(netns);
  const ips = addressesOf(result, ifName);
  for (const ip of ips)
    if (config.table === undefined) checkTable(request, ip, routing);
    else checkRule(ip, config.table, routing);
  if (config.table === undefined) verifyRoutes(netns, result.routes ?? [], ips);
}

function checkRule({ address }: IpConfig, table: number, { rules }: Routing): void {
  const isThere = rules.some(
    (rule) => isSourceRule(rule) && rule.table === table && rule.from.equals(address.host),
  );
  if (!isThere) throw damaged(`no rule leads from ${address.ip} to table ${table}`);
}

function checkTable(
  { config, netns, ifName }: CheckRequest<SbrConfig>,
  ip: IpConfig,
  routing: Routing,
): void {
  const link = requireLink(netns, ifName);
  const { ip: own, network, family } = ip.address;
  const table = tableOf(ip, link, routing);
  if (table === undefined) throw damaged(`no rule leads from ${own} to a table with routes by ${ifName}`);
  const by = routing.routes.filter((route) => partBy(link.index, route) && route.dst.family === family);
  const defaults = by.filter((route) => route.table === table && isDefault(route));
  const gateway = gatewayOf(config, ip);
  const isFixed = gateway !== ip.gateway;
  if (gateway && !defaults.some((route) => !isFixed || route.gateway?.equals(gateway)))
    throw damaged(`the default route${isFixed ? ` via ${gateway}` : ""} is missing in table ${table}`);
  if (!config.addSourceHints || network.equals(ip.address.host)) return;
  const before = vrfTableOf(routing, link) ?? RT_TABLE_MAIN;
  if (!by.some(({ table, dst, source }) => table === before && dst.equals(network) && source))
    throw damaged(`the route to ${network} with a source is missing in table ${before}`);
}
