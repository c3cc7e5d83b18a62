import { Cidr, everywhere } from "../../address/cidr.ts";
import { ensureGateway } from "../../net/bridge.ts";
import { configureInterface, isDefault } from "../../net/configure.ts";
import { masquerade } from "../../net/masquerade/masquerade.ts";
import { enableForwarding } from "../../net/sysctl.ts";
import { ensureVlanLink } from "../../net/vlan.ts";
import type { Link, LinkRef } from "../../netlink/link.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import type { IpConfig, Result, Route } from "../../spec/result.ts";
import { leaseFrom } from "../lease.ts";
import { type BridgeConfig, isGateway } from "./config.ts";

/** The container's end in the result's `interfaces`: behind the bridge and the host's end. */
const INSIDE = 2;

interface Links {
  readonly bridge: Link;
  readonly inside: LinkRef;
}

interface Layer3 extends Pick<Result, "ips" | "routes" | "dns"> {
  /** `<bridge>.<vlan>`, which has the gateways where a VLAN is used. */
  readonly vlanLink?: Link | undefined;
}

/** Addresses and routes for the container, the gateways' addresses for the bridge, and masquerading. */
export function addLayer3(request: AddRequest<BridgeConfig>, { bridge, inside }: Links, undo: Undo): Layer3 {
  const { config, netns, hostNetns } = request;
  const leased = leaseFrom(request, undo);
  const ips = leased.ips.map((ip) => ({ ...ip, ...gatewayOf(ip, config), interface: INSIDE }));
  const routes = config.isDefaultGateway
    ? withDefaultRoutes(leased.routes ?? [], ips)
    : (leased.routes ?? []);
  configureInterface(netns, inside, { ips, routes, detectDuplicates: config.enabledad });
  const vlanLink = isGateway(config) ? becomeGateway(request, bridge, ips, undo) : undefined;
  if (config.ipMasq)
    undo.keep(
      masquerade({
        ...request,
        netns: hostNetns,
        addresses: ips.map(({ address }) => address),
        backend: config.ipMasqBackend,
      }),
    );
  return { ips, routes, ...(leased.dns && { dns: leased.dns }), vlanLink };
}

/** A gateway that IPAM does not name is the first address of the network. */
function gatewayOf({ address, gateway }: IpConfig, config: BridgeConfig): Pick<IpConfig, "gateway"> {
  if (gateway !== undefined || !isGateway(config)) return {};
  return { gateway: address.networkAddress.plus(1) };
}

function withDefaultRoutes(routes: readonly Route[], ips: readonly IpConfig[]): Route[] {
  const all = [...routes];
  for (const { address, gateway } of ips) {
    const hasOne = all.some(
      (route) => isDefault(route) && route.dst.family === address.family && route.gw !== undefined,
    );
    if (!hasOne && gateway) all.push({ dst: everywhere(address.family), gw: gateway });
  }
  return all;
}

/** Gives the bridge, or its VLAN link, the gateways' addresses, and lets the host forward. */
function becomeGateway(
  { config, hostNetns }: AddRequest<BridgeConfig>,
  bridge: Link,
  ips: readonly IpConfig[],
  undo: Undo,
): Link | undefined {
  const vlanLink =
    config.vlan === 0 ? undefined : undo.keep(ensureVlanLink(hostNetns, bridge, config.vlan)).link;
  for (const { address, gateway } of ips) {
    const cidr = new Cidr(gateway!, address.prefixLength);
    undo.add(
      `take ${cidr} from ${bridge.name}`,
      ensureGateway(hostNetns, vlanLink ?? bridge, cidr, config.forceAddress),
    );
  }
  enableForwarding(
    hostNetns,
    ips.map(({ address }) => address.family),
  );
  return vlanLink;
}
