import { Reader, WireError, Writer } from "./codec.ts";
import { AF_BRIDGE } from "./family.ts";
import type { LinkRef } from "./link.ts";
import type { Dump, Request } from "./message.ts";

/**
 * The VLANs that a bridge with VLAN filtering lets through its ports.
 * Wire: IFLA_AF_SPEC with IFLA_BRIDGE_FLAGS and struct bridge_vlan_info (linux/if_bridge.h).
 */

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const IFLA_AF_SPEC = 26;
const IFLA_EXT_MASK = 29;
const IFLA_BRIDGE_FLAGS = 0;
const IFLA_BRIDGE_VLAN_INFO = 2;
const BRIDGE_FLAGS_SELF = 2;
const BRIDGE_VLAN_INFO_PVID = 2;
const BRIDGE_VLAN_INFO_UNTAGGED = 4;
const BRIDGE_VLAN_INFO_RANGE_BEGIN = 8;
const BRIDGE_VLAN_INFO_RANGE_END = 16;
const RTEXT_FILTER_BRVLAN_COMPRESSED = 4;
/** sizeof(struct ifinfomsg). */
const HEADER = 16;

/** VLANs `first` to `last`, both included, with the same properties. */
export interface VlanRange {
  readonly first: number;
  readonly last: number;
  /** Untagged frames that come in belong to it. Not for more than one VLAN. */
  readonly pvid?: boolean;
  /** Its frames go out untagged. */
  readonly untagged?: boolean;
}

/** The VLANs of one port, or of the bridge itself. */
export interface LinkVlans {
  readonly link: number;
  /** The bridge's index; that of `link` itself for the bridge's own. */
  readonly master: number;
  readonly vlans: readonly VlanRange[];
}

interface VlanTarget {
  /** The link is the bridge itself, not a port. */
  readonly self?: boolean;
}

/** Equivalent to `bridge vlan add dev LINK vid FIRST-LAST [pvid] [untagged] [self]`. */
export function addBridgeVlans(link: LinkRef, vlans: readonly VlanRange[], target: VlanTarget = {}): Request {
  const what = `add VLAN ${vlans.map(rangeText).join(", ")} to ${link.name}`;
  return { type: RTM_SETLINK, flags: 0, body: encode(link, vlans, target), what };
}

/** Equivalent to `bridge vlan delete dev LINK vid FIRST-LAST [self]`. */
export function removeBridgeVlans(
  link: LinkRef,
  vlans: readonly VlanRange[],
  target: VlanTarget = {},
): Request {
  const what = `remove VLAN ${vlans.map(rangeText).join(", ")} from ${link.name}`;
  return { type: RTM_DELLINK, flags: 0, body: encode(link, vlans, target), what };
}

/** The VLANs of all bridges and their ports. Equivalent to `bridge -c vlan show`. */
export function listBridgeVlans(): Dump<LinkVlans> {
  const body = new Writer().u32(AF_BRIDGE).zeros(HEADER - 4);
  body.u32Attribute(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
  return { type: RTM_GETLINK, body: body.finish(), what: "list the VLANs of bridge ports", decode };
}

function encode(link: LinkRef, vlans: readonly VlanRange[], { self = false }: VlanTarget): Uint8Array {
  const body = new Writer().u32(AF_BRIDGE).u32(link.index).zeros(8);
  body.nest(IFLA_AF_SPEC, (spec) => {
    if (self) spec.u16Attribute(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
    for (const { first, last, pvid, untagged } of vlans) {
      const flags = (pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0);
      if (first === last) writeVlan(spec, flags, first);
      else {
        writeVlan(spec, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN, first);
        writeVlan(spec, flags | BRIDGE_VLAN_INFO_RANGE_END, last);
      }
    }
  });
  return body.finish();
}

function writeVlan(into: Writer, flags: number, id: number): void {
  into.u16(8).u16(IFLA_BRIDGE_VLAN_INFO).u16(flags).u16(id);
}

function decode(body: Uint8Array, type: number): LinkVlans | undefined {
  if (type !== RTM_NEWLINK) return undefined;
  const IFLA_MASTER = 10;
  const reader = new Reader(body);
  const attributes = reader.attributes(HEADER);
  const spec = attributes.get(IFLA_AF_SPEC);
  const link = reader.u32(4);
  return { link, master: attributes.get(IFLA_MASTER)?.u32() ?? link, vlans: spec ? readVlans(spec) : [] };
}

function readVlans(spec: Reader): VlanRange[] {
  const ranges: VlanRange[] = [];
  let begin: number | undefined;
  for (const [type, info] of spec.attributeList()) {
    if (type !== IFLA_BRIDGE_VLAN_INFO) continue;
    const flags = info.u16();
    const last = info.u16(2);
    if (flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
      begin = last;
      continue;
    }
    if (flags & BRIDGE_VLAN_INFO_RANGE_END && begin === undefined)
      throw new WireError(`VLAN range that ends with ${last} and does not begin`);
    const pvid = (flags & BRIDGE_VLAN_INFO_PVID) !== 0;
    const untagged = (flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0;
    ranges.push({ first: begin ?? last, last, pvid, untagged });
    begin = undefined;
  }
  return ranges;
}

function rangeText({ first, last }: VlanRange): string {
  return first === last ? `${first}` : `${first}-${last}`;
}
