import type { Link, LinkKind } from "../link.ts";

/** Wire: IFLA_IPVLAN_* and enum ipvlan_mode (linux/if_link.h). */

const IFLA_IPVLAN_MODE = 1;

/** By their number. */
const MODES = ["l2", "l3", "l3s"] as const;

export type IpvlanMode = (typeof MODES)[number];

/**
 * A share of the link below (`lower`), with its MAC address. The mode is the master's: that of the link made last is
 * everybody's. Equivalent to `ip link add link LOWER NAME type ipvlan mode MODE`.
 */
export function ipvlan(mode: IpvlanMode): LinkKind {
  return { kind: "ipvlan", write: (data) => data.u16Attribute(IFLA_IPVLAN_MODE, MODES.indexOf(mode)) };
}

/** Undefined if the link is no ipvlan. */
export function readIpvlan({ kind, kindData }: Link): { readonly mode: IpvlanMode | undefined } | undefined {
  if (kind !== "ipvlan" || !kindData) return undefined;
  return { mode: MODES[kindData.attributes().get(IFLA_IPVLAN_MODE)?.u16() ?? 0] };
}
