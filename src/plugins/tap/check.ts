import { damaged } from "../../net/damaged.ts";
import { containerInterface, verifyLayer3, verifyLink, verifyUp } from "../../net/verify.ts";
import { getLinkByIndex } from "../../netlink/link.ts";
import { readTun } from "../../netlink/links/tun.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { TapConfig } from "./config.ts";

/** Throws if something is not as ADD has left it: the device, its bridge, addresses and routes, the reservation. */
export function check({ config, netns, ifName, prevResult, ipam }: CheckRequest<TapConfig>): void {
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  ipam?.check();
  const link = verifyLink(netns, "tun", containerInterface(prevResult, ifName, netns.path));
  const device = readTun(link);
  if (!device?.tap) throw damaged(`interface ${ifName} is no tap device`);
  for (const key of ["multiQueue", "owner", "group"] as const)
    if (config[key] !== undefined && device[key] !== config[key])
      throw damaged(`tap device ${ifName} has ${key} ${device[key] ?? "nobody"}, not ${config[key]}`);
  verifyUp(link);
  if (config.bridge !== "") {
    const master = link.master === 0 ? undefined : netns.route.query(getLinkByIndex(link.master));
    if (master?.name !== config.bridge) throw damaged(`${ifName} is not a port of ${config.bridge}`);
  }
  verifyLayer3(netns, link, prevResult);
}
