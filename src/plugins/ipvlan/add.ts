import { ipvlan } from "../../netlink/links/ipvlan.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { addChild } from "../child/add.ts";
import { configureInside } from "../inside/configure.ts";
import { leaseFrom } from "../lease.ts";
import type { IpvlanConfig } from "./config.ts";

/** Puts the container on the master's network with the master's MAC address. */
export function add(request: AddRequest<IpvlanConfig>, undo: Undo): Result {
  const { config, prevResult, ipam } = request;
  const master = config.master === "" && prevResult ? masterOf(prevResult) : config.master;
  const link = addChild(request, { kind: ipvlan(config.mode), master }, undo);
  const chained = ipam === undefined && prevResult?.ips?.length;
  return configureInside(request, link, chained ? prevResult : leaseFrom(request, undo));
}

/** The interface that the plugin before has made, if it is one alone. */
function masterOf({ interfaces = [] }: Result): string {
  const [first] = interfaces;
  if (interfaces.length === 1 && first!.name !== "") return first!.name;
  throw new CniError(
    ErrorCode.InvalidConfig,
    "chained master failure. PrevResult lacks a single named interface",
    `It has ${interfaces.length}: name a "master".`,
  );
}
