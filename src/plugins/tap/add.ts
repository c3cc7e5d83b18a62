import { allOrNothing } from "../../net/all-or-nothing.ts";
import { configureInterface } from "../../net/configure.ts";
import type { Namespace } from "../../net/namespace.ts";
import { markOwner } from "../../net/owned.ts";
import { createTap } from "../../net/tap.ts";
import { createLabelledTap } from "../../net/tap-label.ts";
import { removeLink, requireLink } from "../../net/veth.ts";
import { getLink, type Link, setLink } from "../../netlink/link.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { checkArgs } from "../../spec/args.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { hasDns } from "../dns.ts";
import { leaseFrom } from "../lease.ts";
import { KNOWN_ARGS, wishedMac } from "../wished-mac.ts";
import type { TapConfig } from "./config.ts";

/** Makes a tap device in the container, up; with IPAM it has addresses and routes. */
export function add(request: AddRequest<TapConfig>, undo: Undo): Result {
  const { config, netns, ipam } = request;
  checkArgs(request.args, KNOWN_ARGS);
  const { link } = undo.keep(makeDevice(request));
  const layer3 = ipam ? addLayer3(request, link, undo) : {};
  return {
    interfaces: [{ name: link.name, mac: `${link.mac}`, sandbox: netns.path }],
    ...layer3,
    ...(hasDns(config.dns) && { dns: config.dns }),
  };
}

function addLayer3(request: AddRequest<TapConfig>, link: Link, undo: Undo): Omit<Result, "interfaces"> {
  const { ips, routes, dns } = leaseFrom(request, undo);
  configureInterface(request.netns, link, { ips, routes: routes ?? [] });
  return {
    ips: ips.map((ip) => ({ ...ip, interface: 0 })),
    ...(routes && { routes }),
    ...(dns && { dns }),
  };
}

/** The device with all that the configuration says of it, and marked as the attachment's. Up unless IPAM follows. */
function makeDevice(request: AddRequest<TapConfig>): { link: Link; remove(): void } {
  const { config, netns, host, args, ifName: name, ipam } = request;
  const { multiQueue, owner, group, selinuxContext } = config;
  const settings = {
    mac: wishedMac(config, args) ?? config.mac,
    mtu: config.mtu || undefined,
    master: config.bridge === "" ? undefined : bridgeIn(netns, config.bridge).index,
    up: ipam ? undefined : true,
  };
  const wish = { name, multiQueue, owner, group };
  if (selinuxContext === "") createTap(host, netns.fd, wish);
  else createLabelledTap(netns, selinuxContext, wish);
  const remove = () => {
    removeLink(netns, name);
  };
  const ref = { index: 0, name };
  const link = allOrNothing(
    () => netns.route.executeThen([setLink(ref, settings), ...markOwner(ref, request)], getLink(name)),
    remove,
  );
  return { link: link ?? requireLink(netns, name), remove };
}

/** Code 7 if the container has no such bridge. */
function bridgeIn({ route, path }: Namespace, name: string): Link {
  const link = route.query(getLink(name));
  if (link?.kind === "bridge") return link;
  throw new CniError(
    ErrorCode.InvalidConfig,
    link ? `"${name}" is not a bridge` : `failed to get bridge ${name}: link not found`,
    `"bridge" names a bridge in ${path}: ${link ? `this is ${link.kind || "a network card"}` : "it must be there before"}.`,
  );
}
