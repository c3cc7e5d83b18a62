import { allOrNothing } from "../../net/all-or-nothing.ts";
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
import { configureInside } from "../inside/configure.ts";
import { leaseFrom } from "../lease.ts";
import { KNOWN_ARGS, wishedMac } from "../wished-mac.ts";
import type { TapConfig } from "./config.ts";

/** Makes a tap device in the container, up; with IPAM it has addresses and routes. */
export function add(request: AddRequest<TapConfig>, undo: Undo): Result {
  checkArgs(request.args, KNOWN_ARGS);
  const { link } = undo.keep(makeDevice(request));
  return configureInside(request, link, request.ipam && leaseFrom(request, undo));
}

/** The device with all that the configuration says of it, and marked as the attachment's; it is down. */
function makeDevice(request: AddRequest<TapConfig>): { link: Link; remove(): void } {
  const { config, netns, host, args, ifName: name } = request;
  const { multiQueue, owner, group, selinuxContext } = config;
  const settings = {
    mac: wishedMac(config, args) ?? config.mac,
    mtu: config.mtu || undefined,
    master: config.bridge === "" ? undefined : bridgeIn(netns, config.bridge).index,
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
