import { protectFromSpoofing } from "../../net/macspoof/macspoof.ts";
import { createVeth, type VethPair } from "../../net/veth.ts";
import { setBridgePort } from "../../netlink/bridge-port.ts";
import { addBridgeVlans, removeBridgeVlans } from "../../netlink/bridge-vlan.ts";
import type { Link, LinkRef } from "../../netlink/link.ts";
import { readBridge } from "../../netlink/links/bridge.ts";
import type { Request } from "../../netlink/message.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { wishedMac } from "../wished-mac.ts";
import { type BridgeConfig, spoofCheckId, vlansOf } from "./config.ts";

/** The veth pair, its outer end a port of the bridge with the configuration's options. */
export function plugIn(request: AddRequest<BridgeConfig>, bridge: Link, undo: Undo): VethPair {
  const { config, hostNetns, netns, ifName, args } = request;
  const pair = undo.keep(
    createVeth({
      inside: { netns, name: ifName, mac: wishedMac(config, args) },
      outside: { netns: hostNetns, master: bridge.index },
      mtu: config.mtu || undefined,
      owner: request,
    }),
  );
  hostNetns.route.execute(portOptions(config, bridge, pair.outside));
  if (config.macspoofchk)
    undo.keep(
      protectFromSpoofing(hostNetns, {
        id: spoofCheckId(request),
        port: pair.outside.name,
        mac: pair.inside.mac!,
      }),
    );
  return pair;
}

/** What a port needs besides being one; nothing for most. */
function portOptions(config: BridgeConfig, bridge: Link, port: LinkRef): Request[] {
  const { hairpinMode: hairpin, portIsolation: isolated } = config;
  return [
    ...(hairpin || isolated ? [setBridgePort(port, { hairpin, isolated })] : []),
    ...vlanOptions(config, bridge, port),
  ];
}

function vlanOptions(config: BridgeConfig, bridge: Link, port: LinkRef): Request[] {
  const vlans = vlansOf(config);
  if (vlans.length === 0) return [];
  const standard = readBridge(bridge)?.vlanDefaultPvid || 0;
  const removed = config.preserveDefaultVlan || standard === 0 ? [] : [{ first: standard, last: standard }];
  return [...(removed.length > 0 ? [removeBridgeVlans(port, removed)] : []), addBridgeVlans(port, vlans)];
}
