import { macvlan } from "../../netlink/links/macvlan.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { checkArgs } from "../../spec/args.ts";
import type { Result } from "../../spec/result.ts";
import { addChild } from "../child/add.ts";
import { configureInside } from "../inside/configure.ts";
import { leaseFrom } from "../lease.ts";
import { KNOWN_ARGS, wishedMac } from "../wished-mac.ts";
import type { MacvlanConfig } from "./config.ts";

/** Puts the container on the master's network with a MAC address of its own; without IPAM, on layer 2 alone. */
export function add(request: AddRequest<MacvlanConfig>, undo: Undo): Result {
  const { config, ipam, args } = request;
  checkArgs(args, KNOWN_ARGS);
  const kind = macvlan({ mode: config.mode, broadcastQueueLength: config.bcqueuelen || undefined });
  const link = addChild(request, { kind, mac: wishedMac(config, args) ?? config.mac }, undo);
  return configureInside(request, link, ipam && leaseFrom(request, undo));
}
