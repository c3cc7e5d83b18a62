import { damaged } from "../../net/damaged.ts";
import { containerInterface, verifyLayer3, verifyLink, verifyUp } from "../../net/verify.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { HostDeviceConfig } from "./config.ts";
import { isUserspaceDevice } from "./device.ts";
import { readRecord } from "./record.ts";

/** Throws if something is not as ADD has left it: the device, its name for the way home, addresses and routes, the reservation. */
export function check(request: CheckRequest<HostDeviceConfig>): void {
  const { host, config, netns, ifName, prevResult, ipam } = request;
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  ipam?.check();
  const described = containerInterface(prevResult, ifName, netns.path);
  if (isUserspaceDevice(host, config)) return;
  const link = verifyLink(netns, undefined, described);
  const name = readRecord(host, request)?.name ?? link.alias;
  if (name === "" || link.alias !== name)
    throw damaged(`interface ${ifName} has alias "${link.alias}", not the device's name on the host`);
  verifyUp(link);
  verifyLayer3(netns, link, prevResult);
}
