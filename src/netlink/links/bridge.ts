import type { Link, LinkKind } from "../link.ts";

/** Wire: IFLA_BR_* (linux/if_link.h). */

const IFLA_BR_FORWARD_DELAY = 1;
const IFLA_BR_AGEING_TIME = 4;
const IFLA_BR_STP_STATE = 5;
const IFLA_BR_VLAN_FILTERING = 7;
const IFLA_BR_MCAST_SNOOPING = 23;
const IFLA_BR_VLAN_DEFAULT_PVID = 39;
/** USER_HZ: the kernel counts a bridge's times in hundredths of a second. */
const TICKS = 100;

export interface BridgeOptions {
  readonly vlanFiltering?: boolean | undefined;
  /** The VLAN of untagged frames on new ports, 1 unless told; 0 for none. */
  readonly vlanDefaultPvid?: number | undefined;
  /** How long a learned MAC address is kept, in seconds. */
  readonly ageingTime?: number | undefined;
  /** The spanning tree's, in seconds. */
  readonly forwardDelay?: number | undefined;
  readonly spanningTree?: boolean | undefined;
  readonly multicastSnooping?: boolean | undefined;
}

/**
 * Equivalent to `ip link add NAME type bridge …`. Give the link a MAC of its own: otherwise it takes the
 * lowest of its ports' and changes when they come and go.
 */
export function bridge(options: BridgeOptions = {}): LinkKind {
  const { vlanFiltering, vlanDefaultPvid, ageingTime, forwardDelay, spanningTree, multicastSnooping } =
    options;
  return {
    kind: "bridge",
    write(data) {
      if (forwardDelay !== undefined)
        data.u32Attribute(IFLA_BR_FORWARD_DELAY, Math.round(forwardDelay * TICKS));
      if (ageingTime !== undefined) data.u32Attribute(IFLA_BR_AGEING_TIME, Math.round(ageingTime * TICKS));
      if (spanningTree !== undefined) data.u32Attribute(IFLA_BR_STP_STATE, Number(spanningTree));
      if (multicastSnooping !== undefined)
        data.u8Attribute(IFLA_BR_MCAST_SNOOPING, Number(multicastSnooping));
      // The default PVID can only be changed while filtering is off; the kernel reads it first.
      if (vlanDefaultPvid !== undefined) data.u16Attribute(IFLA_BR_VLAN_DEFAULT_PVID, vlanDefaultPvid);
      if (vlanFiltering !== undefined) data.u8Attribute(IFLA_BR_VLAN_FILTERING, Number(vlanFiltering));
    },
  };
}

/** The options of a bridge; undefined if the link is none. A kernel without VLAN filtering tells none of it. */
export function readBridge({ kind, kindData }: Link): BridgeOptions | undefined {
  if (kind !== "bridge" || !kindData) return undefined;
  const data = kindData.attributes();
  const seconds = (type: number) => (data.get(type)?.u32() ?? 0) / TICKS;
  return {
    vlanFiltering: data.get(IFLA_BR_VLAN_FILTERING)?.u8() === 1,
    vlanDefaultPvid: data.get(IFLA_BR_VLAN_DEFAULT_PVID)?.u16(),
    ageingTime: seconds(IFLA_BR_AGEING_TIME),
    forwardDelay: seconds(IFLA_BR_FORWARD_DELAY),
    spanningTree: (data.get(IFLA_BR_STP_STATE)?.u32() ?? 0) !== 0,
    multicastSnooping: data.get(IFLA_BR_MCAST_SNOOPING)?.u8() === 1,
  };
}
