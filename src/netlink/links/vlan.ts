import { Writer } from "../codec.ts";
import type { Link, LinkKind } from "../link.ts";

/** Wire: IFLA_VLAN_* and struct ifla_vlan_flags (linux/if_link.h), VLAN_FLAG_* (linux/if_vlan.h). */

const IFLA_VLAN_ID = 1;
const IFLA_VLAN_FLAGS = 2;
const IFLA_VLAN_PROTOCOL = 5;
const VLAN_FLAG_LOOSE_BINDING = 4;
/** ETH_P_8021Q (linux/if_ether.h). */
const ETH_P_8021Q = 0x8100;

export interface VlanOptions {
  /** The tag's EtherType: 0x8100 for 802.1Q, 0x88a8 for 802.1ad. */
  readonly protocol: number;
  /** The link goes up and down by itself, and so keeps its routes when that below is down for a while. */
  readonly looseBinding: boolean;
}

export interface Vlan extends VlanOptions {
  /** 0 to 4094. */
  readonly id: number;
}

/** A VLAN of the link below (`lower`). Equivalent to `ip link add link LOWER name NAME type vlan id ID`. */
export function vlan(id: number, options: Partial<VlanOptions> = {}): LinkKind {
  const { protocol = ETH_P_8021Q, looseBinding = false } = options;
  return {
    kind: "vlan",
    write(data) {
      data.u16Attribute(IFLA_VLAN_ID, id).be16Attribute(IFLA_VLAN_PROTOCOL, protocol);
      if (!looseBinding) return;
      const flags = new Writer(8).u32(VLAN_FLAG_LOOSE_BINDING).u32(VLAN_FLAG_LOOSE_BINDING);
      data.bytesAttribute(IFLA_VLAN_FLAGS, flags.finish());
    },
  };
}

/** Undefined if the link is no VLAN. */
export function readVlan({ kind, kindData }: Link): Vlan | undefined {
  if (kind !== "vlan" || !kindData) return undefined;
  const data = kindData.attributes();
  const id = data.get(IFLA_VLAN_ID)?.u16();
  if (id === undefined) return undefined;
  const flags = data.get(IFLA_VLAN_FLAGS)?.u32() ?? 0;
  return {
    id,
    protocol: data.get(IFLA_VLAN_PROTOCOL)?.be16() ?? ETH_P_8021Q,
    looseBinding: (flags & VLAN_FLAG_LOOSE_BINDING) !== 0,
  };
}
