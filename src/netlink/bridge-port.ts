import { type Attributes, Writer } from "./codec.ts";
import { AF_BRIDGE } from "./family.ts";
import type { Link, LinkRef } from "./link.ts";
import type { Request } from "./message.ts";

/** A bridge's settings for one of its ports. Wire: IFLA_PROTINFO with IFLA_BRPORT_* (linux/if_link.h). */

const RTM_SETLINK = 19;
const IFLA_PROTINFO = 12;
const IFLA_BRPORT_PRIORITY = 2;
const IFLA_BRPORT_COST = 3;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_GUARD = 5;
const IFLA_BRPORT_PROTECT = 6;
const IFLA_BRPORT_FAST_LEAVE = 7;
const IFLA_BRPORT_LEARNING = 8;
const IFLA_BRPORT_UNICAST_FLOOD = 9;
const IFLA_BRPORT_PROXYARP = 10;
const IFLA_BRPORT_MCAST_FLOOD = 27;
const IFLA_BRPORT_BCAST_FLOOD = 30;
const IFLA_BRPORT_NEIGH_SUPPRESS = 32;
const IFLA_BRPORT_ISOLATED = 33;

export interface BridgePort {
  /** A frame may leave by the port it came in. */
  readonly hairpin?: boolean | undefined;
  /** No frames to or from other isolated ports. */
  readonly isolated?: boolean | undefined;
  readonly learning?: boolean | undefined;
  readonly unicastFlood?: boolean | undefined;
  readonly multicastFlood?: boolean | undefined;
  readonly broadcastFlood?: boolean | undefined;
  /** A spanning tree frame that comes in disables the port. */
  readonly bpduGuard?: boolean | undefined;
  readonly rootBlock?: boolean | undefined;
  readonly fastLeave?: boolean | undefined;
  readonly proxyArp?: boolean | undefined;
  readonly neighbourSuppress?: boolean | undefined;
  readonly priority?: number | undefined;
  readonly cost?: number | undefined;
}

const SWITCHES = [
  ["hairpin", IFLA_BRPORT_MODE],
  ["isolated", IFLA_BRPORT_ISOLATED],
  ["learning", IFLA_BRPORT_LEARNING],
  ["unicastFlood", IFLA_BRPORT_UNICAST_FLOOD],
  ["multicastFlood", IFLA_BRPORT_MCAST_FLOOD],
  ["broadcastFlood", IFLA_BRPORT_BCAST_FLOOD],
  ["bpduGuard", IFLA_BRPORT_GUARD],
  ["rootBlock", IFLA_BRPORT_PROTECT],
  ["fastLeave", IFLA_BRPORT_FAST_LEAVE],
  ["proxyArp", IFLA_BRPORT_PROXYARP],
  ["neighbourSuppress", IFLA_BRPORT_NEIGH_SUPPRESS],
] as const;

/** Equivalent to `bridge link set dev LINK hairpin on …`. What is undefined stays as it is. */
export function setBridgePort(link: LinkRef, port: BridgePort): Request {
  const body = new Writer().u32(AF_BRIDGE).u32(link.index).zeros(8);
  body.nest(IFLA_PROTINFO, (info) => writePort(info, port));
  return {
    type: RTM_SETLINK,
    flags: 0,
    body: body.finish(),
    what: `set bridge port options of ${link.name}`,
  };
}

/** The settings of a bridge's port; undefined if the link is none. Equivalent to `bridge -d link show dev LINK`. */
export function readBridgePort({ masterKind, portData }: Link): BridgePort | undefined {
  return masterKind === "bridge" && portData ? readPort(portData.attributes()) : undefined;
}

function writePort(into: Writer, port: BridgePort): void {
  for (const [key, type] of SWITCHES) {
    const on = port[key];
    if (on !== undefined) into.u8Attribute(type, Number(on));
  }
  if (port.priority !== undefined) into.u16Attribute(IFLA_BRPORT_PRIORITY, port.priority);
  if (port.cost !== undefined) into.u32Attribute(IFLA_BRPORT_COST, port.cost);
}

function readPort(attributes: Attributes): BridgePort {
  const port: { -readonly [K in keyof BridgePort]: BridgePort[K] } = {
    priority: attributes.get(IFLA_BRPORT_PRIORITY)?.u16(),
    cost: attributes.get(IFLA_BRPORT_COST)?.u32(),
  };
  for (const [key, type] of SWITCHES) {
    const value = attributes.get(type)?.u8();
    if (value !== undefined) port[key] = value !== 0;
  }
  return port;
}
