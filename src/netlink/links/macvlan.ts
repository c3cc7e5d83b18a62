import type { Link, LinkKind } from "../link.ts";

/** Wire: IFLA_MACVLAN_*, MACVLAN_MODE_* (linux/if_link.h). */

const IFLA_MACVLAN_MODE = 1;
const IFLA_MACVLAN_BC_QUEUE_LEN = 7;
const MACVLAN_MODE_PRIVATE = 1;
const MACVLAN_MODE_VEPA = 2;
const MACVLAN_MODE_BRIDGE = 4;
const MACVLAN_MODE_PASSTHRU = 8;

const MODES = {
  private: MACVLAN_MODE_PRIVATE,
  vepa: MACVLAN_MODE_VEPA,
  bridge: MACVLAN_MODE_BRIDGE,
  passthru: MACVLAN_MODE_PASSTHRU,
} as const;

export type MacvlanMode = keyof typeof MODES;

export interface Macvlan {
  /** How links on one master reach each other: not at all, by a switch outside, in the kernel; or there is but one. */
  readonly mode: MacvlanMode;
  /** How many broadcast and multicast frames the master holds back; the largest wish of its links counts. */
  readonly broadcastQueueLength?: number | undefined;
}

/** A MAC address of its own on the link below (`lower`). Equivalent to `ip link add link LOWER NAME type macvlan mode MODE`. */
export function macvlan({ mode, broadcastQueueLength }: Macvlan): LinkKind {
  return {
    kind: "macvlan",
    write(data) {
      data.u32Attribute(IFLA_MACVLAN_MODE, MODES[mode]);
      if (broadcastQueueLength !== undefined)
        data.u32Attribute(IFLA_MACVLAN_BC_QUEUE_LEN, broadcastQueueLength);
    },
  };
}

/** Undefined if the link is no macvlan, or has a mode of another kind (source). */
export function readMacvlan({ kind, kindData }: Link): Macvlan | undefined {
  if (kind !== "macvlan" || !kindData) return undefined;
  const data = kindData.attributes();
  const number = data.get(IFLA_MACVLAN_MODE)?.u32();
  const mode = (Object.keys(MODES) as MacvlanMode[]).find((name) => MODES[name] === number);
  return mode && { mode, broadcastQueueLength: data.get(IFLA_MACVLAN_BC_QUEUE_LEN)?.u32() };
}
