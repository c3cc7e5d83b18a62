import { vlan } from "../../netlink/links/vlan.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import type { Result } from "../../spec/result.ts";
import { addChild } from "../child/add.ts";
import { configureInside } from "../inside/configure.ts";
import { leaseFrom, requireIpam } from "../lease.ts";
import { checkConfig, type VlanConfig } from "./config.ts";

/** Puts the container into a VLAN of the master's network. */
export function add(request: AddRequest<VlanConfig>, undo: Undo): Result {
  const { config, ipam } = request;
  checkConfig(config);
  requireIpam(ipam);
  // When the master is down for a while, the container is to keep its routes.
  const link = addChild(request, { kind: vlan(config.vlanId, { looseBinding: true }) }, undo);
  return configureInside(request, link, leaseFrom(request, undo));
}
