import type { VlanRange } from "../../netlink/bridge-vlan.ts";
import type { Attachment } from "../../plugin/types.ts";
import { cniArgs } from "../../spec/capabilities/cni-args.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { dns } from "../../spec/fields.ts";
import { INTERFACE_NAME } from "../../spec/names.ts";
import {
  array,
  boolean,
  type Infer,
  integer,
  mac,
  object,
  oneOf,
  optional,
  string,
} from "../../spec/schema.ts";

const MAX_VLAN = 4094;
/** The VLAN of untagged frames on a trunk for which no `vlan` is given. */
const NATIVE_VLAN = 1;

export const config = object({
  /** The bridge's name; it is made if it is not there. */
  bridge: optional(
    string({ pattern: INTERFACE_NAME, expected: "the name of an interface, 15 characters at most" }),
    "cni0",
  ),
  /** The bridge gets an address and is the containers' gateway. */
  isGateway: optional(boolean(), false),
  /** As isGateway, and the containers' default route leads there. */
  isDefaultGateway: optional(boolean(), false),
  /** Replace an address of the bridge that is in the way of the gateway's. */
  forceAddress: optional(boolean(), false),
  ipMasq: optional(boolean(), false),
  ipMasqBackend: optional(oneOf("nftables", "iptables")),
  mtu: optional(integer(0, 65535), 0),
  /** A frame may leave by the port it came in: a container reaches itself by a published port. */
  hairpinMode: optional(boolean(), false),
  promiscMode: optional(boolean(), false),
  /** The container's VLAN, untagged on its side; 0 for none. */
  vlan: optional(integer(), 0),
  /** VLANs that the container may use tagged. */
  vlanTrunk: optional(
    array(object({ id: optional(integer()), minID: optional(integer()), maxID: optional(integer()) })),
  ),
  /** Leave the bridge's default VLAN on the port besides those above. */
  preserveDefaultVlan: optional(boolean(), false),
  /** Drop frames of the container that do not come from its MAC address. */
  macspoofchk: optional(boolean(), false),
  /** Duplicate address detection for IPv6. */
  enabledad: optional(boolean(), false),
  /** Leave the container's end down and without addresses. */
  disableContainerInterface: optional(boolean(), false),
  /** No frames between isolated ports. */
  portIsolation: optional(boolean(), false),
  /** Wins over IPAM's. */
  dns: optional(dns()),
  runtimeConfig: optional(object({ mac: optional(mac()) })),
  args: cniArgs({ mac: optional(mac()) }),
});

export type BridgeConfig = Infer<typeof config>;

/** Refuses, with code 7, values that do not go together. */
export function checkConfig(config: BridgeConfig, hasIpam: boolean): void {
  const { vlan, disableContainerInterface, hairpinMode, promiscMode } = config;
  if (vlan < 0 || vlan > MAX_VLAN)
    throw invalid(`invalid VLAN ID ${vlan} (must be between 0 and ${MAX_VLAN})`);
  if (disableContainerInterface && hasIpam)
    throw invalid("cannot use IPAM when DisableContainerInterface flag is set");
  if (hairpinMode && promiscMode)
    throw invalid("cannot set hairpin mode and promiscuous mode at the same time");
  trunkOf(config);
}

export function isGateway({ isGateway, isDefaultGateway }: BridgeConfig): boolean {
  return isGateway || isDefaultGateway;
}

/** The VLANs of the container's port: those of its trunk, and that of untagged frames. None if none is wished. */
export function vlansOf(config: BridgeConfig): VlanRange[] {
  const trunk = trunkOf(config);
  if (config.vlan === 0 && trunk.length === 0) return [];
  const native = config.vlan || NATIVE_VLAN;
  // Last, so that it stays untagged where the trunk has it too.
  return [...trunk, { first: native, last: native, pvid: true, untagged: true }];
}

/** The VLANs of `vlanTrunk`. Code 7 for an entry that has no sense. */
function trunkOf({ vlanTrunk = [] }: BridgeConfig): VlanRange[] {
  return vlanTrunk.flatMap(({ id, minID, maxID }): VlanRange[] => {
    if ((minID === undefined) !== (maxID === undefined))
      throw invalid(
        `minID and maxID should be configured simultaneously, ${minID === undefined ? "minID" : "maxID"} is missing`,
      );
    for (const [key, value] of Object.entries({ minID, maxID, id }))
      if (value !== undefined && (value < 1 || value > MAX_VLAN))
        throw invalid(`incorrect trunk ${key} parameter: ${value} (must be between 1 and ${MAX_VLAN})`);
    if (minID !== undefined && maxID! < minID)
      throw invalid(`minID ${minID} is greater than maxID ${maxID} in trunk parameter`);
    return [
      ...(minID === undefined ? [] : [{ first: minID, last: maxID! }]),
      ...(id === undefined ? [] : [{ first: id, last: id }]),
    ];
  });
}

/** What macspoofchk's chains are named after. */
export function spoofCheckId({ containerId, ifName }: Attachment): string {
  return `${containerId}-${ifName}`;
}

function invalid(msg: string): CniError {
  return new CniError(ErrorCode.InvalidConfig, msg);
}
