import { configureInterface } from "../../net/configure.ts";
import { type Link, setLink } from "../../netlink/link.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import type { Result } from "../../spec/result.ts";
import { hasDns } from "../dns.ts";
import { leaseFrom } from "../lease.ts";
import type { HostDeviceConfig } from "./config.ts";
import { findDevice } from "./device.ts";
import { lend } from "./lend.ts";

/** Gives a device of the host to the container. One that a program drives stays where it is; it may have addresses. */
export function add(request: AddRequest<HostDeviceConfig>, undo: Undo): Result {
  const { config, netns, hostNetns, ifName, ipam } = request;
  const device = findDevice(hostNetns, config);
  const link = device && undo.keep(lend(request, device)).link;
  const layer3 = ipam ? addLayer3(request, link, undo) : {};
  if (!ipam && link) netns.route.execute([setLink(link, { up: true })]);
  return {
    interfaces: [{ name: ifName, ...(link?.mac && { mac: `${link.mac}` }), sandbox: netns.path }],
    ...layer3,
    ...(hasDns(config.dns) && { dns: config.dns }),
  };
}

function addLayer3(
  request: AddRequest<HostDeviceConfig>,
  link: Link | undefined,
  undo: Undo,
): Omit<Result, "interfaces"> {
  const { ips, routes, dns } = leaseFrom(request, undo);
  if (link) configureInterface(request.netns, link, { ips, routes: routes ?? [] });
  return {
    ips: ips.map((ip) => ({ ...ip, interface: 0 })),
    ...(routes && { routes }),
    ...(dns && { dns }),
  };
}
