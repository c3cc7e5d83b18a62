import { errno } from "../../host/errno.ts";
import { allOrNothing } from "../../net/all-or-nothing.ts";
import { requireFreeName } from "../../net/name-taken.ts";
import type { Namespace } from "../../net/namespace.ts";
import { requireLink } from "../../net/veth.ts";
import { addAddress, IFA_F_NODAD, type LinkAddress, listAddresses } from "../../netlink/address.ts";
import { getLink, IFF_UP, type Link, setLink } from "../../netlink/link.ts";
import { addRoute, RT_SCOPE_LINK } from "../../netlink/route.ts";
import { type LinkRoute, listRoutes } from "../../netlink/route-list.ts";
import type { AddRequest } from "../../plugin/types.ts";
import { giveBack } from "./give-back.ts";
import { type DeviceRecord, writeRecord } from "./record.ts";

/** rtnetlink.h: routes that come with addresses, and those that routers advertise. */
const RTPROT_KERNEL = 2;
const RTPROT_RA = 9;

/** A device in the container, down. `remove` puts it back as it was. */
export interface LentDevice {
  readonly link: Link;
  remove(): void;
}

/** Moves a device of the host into the container, under the interface's name. Code 4 if that is taken. */
export function lend(request: AddRequest<unknown>, device: Link): LentDevice {
  const { host, hostNetns, netns, ifName: name } = request;
  requireFreeName(netns, name);
  const record = recordOf(request, device);
  const configuration = readConfiguration(hostNetns, device);
  const remove = () => {
    giveBack(hostNetns, record, netns);
    restore(hostNetns, device.name, configuration);
  };
  const link = allOrNothing(() => {
    writeRecord(host, record);
    hostNetns.route.execute([
      // First: by its alias the device is found, however far it came.
      setLink(device, { alias: device.name }),
      setLink(device, { netnsFd: netns.fd, name }),
    ]);
    return requireLink(netns, name);
  }, remove);
  return { link, remove };
}

function recordOf({ network, containerId, ifName, netns }: AddRequest<unknown>, device: Link): DeviceRecord {
  const { name, mac, mtu, flags, alias, kind } = device;
  return {
    network,
    containerId,
    ifName,
    netns: netns.path,
    name,
    mac: `${mac ?? ""}`,
    mtu,
    up: (flags & IFF_UP) !== 0,
    alias,
    physical: kind === "",
  };
}

/** What a link loses when it changes its namespace. */
interface Configuration {
  readonly master: number;
  readonly addresses: readonly LinkAddress[];
  readonly routes: readonly LinkRoute[];
}

/** Without what the kernel makes by itself when the link is up. */
function readConfiguration({ route }: Namespace, { index: link, master }: Link): Configuration {
  const addresses = route.dump(listAddresses({ link }));
  const routes = route.dump(listRoutes({ link }));
  return {
    master,
    addresses: addresses.filter(({ cidr, scope }) => cidr.family === 4 || scope !== RT_SCOPE_LINK),
    routes: routes.filter(({ protocol }) => protocol !== RTPROT_KERNEL && protocol !== RTPROT_RA),
  };
}

function restore(hostNetns: Namespace, name: string, { master, addresses, routes }: Configuration): void {
  const { route } = hostNetns;
  const link = route.query(getLink(name));
  // Another container was faster.
  if (link === undefined) return;
  if (master !== 0) route.execute([setLink(link, { master })]);
  // What is there already has never gone: the kernel had refused to move the device.
  for (const address of addresses) {
    // They were found to be nobody else's before.
    const flags = address.flags | (address.cidr.family === 6 ? IFA_F_NODAD : 0);
    route.attempt(addAddress(link, { ...address, flags }), errno.EEXIST);
  }
  for (const one of routes) route.attempt(addRoute(link, one), errno.EEXIST);
}
