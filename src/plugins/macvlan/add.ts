import { setLink } from "../../netlink/link.ts";
import { macvlan } from "../../netlink/links/macvlan.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { checkArgs } from "../../spec/args.ts";
import type { Result } from "../../spec/result.ts";
import { addChild, configureChild, describeChild } from "../child/add.ts";
import { hasDns } from "../dns.ts";
import { leaseFrom } from "../lease.ts";
import { KNOWN_ARGS, wishedMac } from "../wished-mac.ts";
import type { MacvlanConfig } from "./config.ts";

/** Puts the container on the master's network with a MAC address of its own; without IPAM, on layer 2 alone. */
export function add(request: AddRequest<MacvlanConfig>, undo: Undo): Result {
  const { config, netns, ipam, args } = request;
  checkArgs(args, KNOWN_ARGS);
  const kind = macvlan({ mode: config.mode, broadcastQueueLength: config.bcqueuelen || undefined });
  const link = addChild(request, { kind, mac: wishedMac(config, args) ?? config.mac }, undo);
  if (ipam) return configureChild(request, link, leaseFrom(request, undo));
  netns.route.execute([setLink(link, { up: true })]);
  return { interfaces: [describeChild(link, netns.path)], ...(hasDns(config.dns) && { dns: config.dns }) };
}
