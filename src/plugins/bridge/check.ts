import { Cidr } from "../../address/cidr.ts";
import { keepsMac } from "../../net/bridge.ts";
import { damaged } from "../../net/damaged.ts";
import { checkMacSpoofCheck } from "../../net/macspoof/check.ts";
import { checkMasquerade } from "../../net/masquerade/check.ts";
import {
  containerInterface,
  ipsOf,
  verifyAddresses,
  verifyLayer3,
  verifyLink,
  verifyUp,
} from "../../net/verify.ts";
import { requireLink } from "../../net/veth.ts";
import { readBridgePort } from "../../netlink/bridge-port.ts";
import { listBridgeVlans } from "../../netlink/bridge-vlan.ts";
import { getLinkByIndex, IFF_PROMISC, type Link } from "../../netlink/link.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { IpConfig, Result } from "../../spec/result.ts";
import { type BridgeConfig, isGateway, spoofCheckId, vlansOf } from "./config.ts";

/** Throws if something is not as ADD has left it: the bridge, both ends, addresses, routes, rules, reservation. */
export function check(request: CheckRequest<BridgeConfig>): void {
  const { config, netns, hostNetns, ifName, prevResult, ipam } = request;
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  ipam?.check();
  const bridge = checkBridge(request, prevResult);
  const inside = verifyLink(netns, "veth", containerInterface(prevResult, ifName, netns.path));
  checkPort(request, bridge, inside);
  if (config.disableContainerInterface) return;
  verifyUp(inside);
  if (!ipam) return;
  verifyLayer3(netns, inside, prevResult);
  const ips = ipsOf(prevResult, ifName, netns.path);
  if (isGateway(config)) checkGateways(request, bridge, ips);
  const addresses = ips.map(({ address }) => address);
  if (config.ipMasq)
    checkMasquerade({ ...request, netns: hostNetns, addresses, backend: config.ipMasqBackend });
}

function checkBridge({ config, hostNetns }: CheckRequest<BridgeConfig>, { interfaces = [] }: Result): Link {
  const described = interfaces.find(({ name, sandbox }) => name === config.bridge && !sandbox);
  const bridge = verifyLink(hostNetns, "bridge", { name: config.bridge });
  // One that was made elsewhere, as the reference's for VLANs, may have the MAC of one of its ports, which come and go.
  if (described && keepsMac(bridge)) verifyLink(hostNetns, "bridge", described);
  verifyUp(bridge);
  if (config.promiscMode && (bridge.flags & IFF_PROMISC) === 0)
    throw damaged(`bridge ${bridge.name} is not promiscuous`);
  return bridge;
}

/** The host's end is the peer of the container's, and a port of the bridge with the configuration's options. */
function checkPort(request: CheckRequest<BridgeConfig>, bridge: Link, inside: Link): void {
  const { config, hostNetns } = request;
  const port = hostNetns.route.query(getLinkByIndex(inside.lower));
  if (port === undefined || port.kind !== "veth" || port.lower !== inside.index)
    throw damaged(`the host's end of ${inside.name} is missing`);
  if (port.master !== bridge.index)
    throw damaged(`${port.name}, the host's end of ${inside.name}, is not a port of ${bridge.name}`);
  verifyUp(port);
  const { hairpin, isolated } = readBridgePort(port) ?? {};
  if (config.hairpinMode && !hairpin) throw damaged(`${port.name} is not in hairpin mode`);
  if (config.portIsolation && !isolated) throw damaged(`${port.name} is not isolated`);
  checkVlans(request, port);
  if (config.macspoofchk)
    checkMacSpoofCheck(hostNetns, { id: spoofCheckId(request), port: port.name, mac: inside.mac! });
}

function checkVlans({ config, hostNetns }: CheckRequest<BridgeConfig>, port: Link): void {
  const wanted = vlansOf(config);
  if (wanted.length === 0) return;
  const present =
    hostNetns.route.dump(listBridgeVlans()).find(({ link }) => link === port.index)?.vlans ?? [];
  for (const { first, last, pvid } of wanted)
    for (let id = first; id <= last; id++)
      if (!present.some((one) => one.first <= id && id <= one.last && (!pvid || one.pvid)))
        throw damaged(`${port.name} is not in VLAN ${id}${pvid ? " with untagged frames" : ""}`);
}

function checkGateways(
  { config, hostNetns }: CheckRequest<BridgeConfig>,
  bridge: Link,
  ips: readonly IpConfig[],
): void {
  // Of any kind: the reference makes a veth pair for it.
  const link = config.vlan === 0 ? bridge : requireLink(hostNetns, `${bridge.name}.${config.vlan}`);
  verifyUp(link);
  const gateways = ips.flatMap(({ address, gateway }) =>
    gateway ? [new Cidr(gateway, address.prefixLength)] : [],
  );
  verifyAddresses(hostNetns, link, gateways);
}
