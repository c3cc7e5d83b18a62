import { parseMac } from "../../address/mac.ts";
import { errno } from "../../host/errno.ts";
import { type Host, O_RDONLY } from "../../host/host.ts";
import { allOrNothing } from "../../net/all-or-nothing.ts";
import { type Namespace, openNamespace } from "../../net/namespace.ts";
import { getLink, getLinkByIndex, IFF_UP, type Link, listLinks, setLink } from "../../netlink/link.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { type DeviceRecord, removeRecord } from "./record.ts";

/** How long the kernel may take to send a device home when its namespace has gone. */
const RETURN_MS = 1_000;
const NAP_MS = 20;

/**
 * Brings a device back to the host as it was, from wherever it is: the container's namespace, or the host's, to which
 * the kernel returns a network card under the wrong name when the namespace goes. `netns` is the container's, if the
 * caller has it open. Throws if the host has another link of that name; the device stays in the container then.
 */
export function giveBack(hostNetns: Namespace, record: DeviceRecord, netns?: Namespace): void {
  const { host } = hostNetns;
  const from = netns ?? openIfAny(host, record.netns);
  const link = from && findLink(from, record, record.ifName);
  if (link) moveOut(from, hostNetns, link, record.name);
  const returned = findAtHome(hostNetns, record, record.physical && !from);
  if (returned) restore(hostNetns, returned, record);
  removeRecord(host, record);
}

/**
 * The device in a namespace, where it is to have this name. The container may have changed its name, MAC and alias: two
 * of them make it out, or else the alias, which nothing else has reason to bear.
 */
function findLink({ route }: Namespace, record: DeviceRecord, name: string): Link | undefined {
  const signs = (link: Link) =>
    Number(link.name === name) +
    Number(link.alias === record.name) +
    Number(`${link.mac ?? ""}` === record.mac);
  const named = route.query(getLink(name));
  if (named && signs(named) >= 2) return named;
  const links = route.dump(listLinks()).filter(({ kind }) => (kind === "") === record.physical);
  return links.find((link) => signs(link) >= 2) ?? links.find(({ alias }) => alias === record.name);
}

/** Undefined also if the device came home otherwise: it has lost the alias then. */
function findAtHome(hostNetns: Namespace, record: DeviceRecord, waiting: boolean): Link | undefined {
  for (let waited = 0; ; waited += NAP_MS) {
    const link = findLink(hostNetns, record, record.name);
    if (link !== undefined) return link.alias === record.name ? link : undefined;
    if (!waiting || waited >= RETURN_MS) return undefined;
    hostNetns.host.sleep(NAP_MS);
  }
}

function moveOut(from: Namespace, to: Namespace, link: Link, name: string): void {
  if (to.route.query(getLink(name)))
    throw new CniError(
      ErrorCode.Plugin,
      `the host has another interface ${name} by now`,
      `The device stays in the container as ${link.name}. Rename the other interface, then run DEL again.`,
    );
  const home = to.host.open("/proc/self/ns/net", O_RDONLY);
  const move = () => {
    from.route.execute([setLink(link, { up: false })]);
    // Before it moves, so that those who watch the host's links see it come under its own name; unless another link of
    // the container has that name.
    from.route.attempt(setLink(link, { name }), errno.EEXIST);
    from.route.execute([setLink(link, { netnsFd: home, name, alias: name })]);
  };
  const stay = () => {
    const still = from.route.query(getLinkByIndex(link.index));
    const up = (link.flags & IFF_UP) !== 0;
    if (still) from.route.execute([setLink(still, { name: link.name }), setLink(still, { up })]);
  };
  try {
    allOrNothing(move, stay);
  } finally {
    to.host.close(home);
  }
}

function restore({ route }: Namespace, link: Link, { name, mac, mtu, up, alias }: DeviceRecord): void {
  if (link.name !== name) route.execute([setLink(link, { name })]);
  const changes = {
    mac: mac === `${link.mac ?? ""}` ? undefined : parseMac(mac),
    mtu: mtu === link.mtu ? undefined : mtu,
    up: up || undefined,
  };
  route.execute([setLink(link, changes)]);
  // Last: up to here the next DEL finds it.
  route.execute([setLink(link, { alias })]);
}

/** Undefined if there is no such namespace any more. */
function openIfAny(host: Host, path: string): Namespace | undefined {
  try {
    return openNamespace(host, path);
  } catch (error) {
    if (error instanceof CniError && error.code === ErrorCode.InvalidNetns) return undefined;
    throw error;
  }
}
