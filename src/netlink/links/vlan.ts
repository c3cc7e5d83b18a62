import type { Link, LinkKind } from "../link.ts";

/** Wire: IFLA_VLAN_* (linux/if_link.h). */

const IFLA_VLAN_ID = 1;
const IFLA_VLAN_PROTOCOL = 5;
/** ETH_P_8021Q (linux/if_ether.h). */
const ETH_P_8021Q = 0x8100;

export interface Vlan {
  /** 0 to 4094. */
  readonly id: number;
  /** The tag's EtherType: 0x8100 for 802.1Q, 0x88a8 for 802.1ad. */
  readonly protocol: number;
}

/** A VLAN of the link below (`lower`). Equivalent to `ip link add link LOWER name NAME type vlan id ID`. */
export function vlan(id: number, protocol = ETH_P_8021Q): LinkKind {
  return {
    kind: "vlan",
    write: (data) => data.u16Attribute(IFLA_VLAN_ID, id).be16Attribute(IFLA_VLAN_PROTOCOL, protocol),
  };
}

/** Undefined if the link is no VLAN. */
export function readVlan({ kind, kindData }: Link): Vlan | undefined {
  if (kind !== "vlan" || !kindData) return undefined;
  const data = kindData.attributes();
  const id = data.get(IFLA_VLAN_ID)?.u16();
  if (id === undefined) return undefined;
  return { id, protocol: data.get(IFLA_VLAN_PROTOCOL)?.be16() ?? ETH_P_8021Q };
}
