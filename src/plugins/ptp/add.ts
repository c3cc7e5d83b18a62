import { hostCidr } from "../../address/cidr.ts";
import { configureInterface } from "../../net/configure.ts";
import { masquerade } from "../../net/masquerade/masquerade.ts";
import { enableForwarding } from "../../net/sysctl.ts";
import { createVeth } from "../../net/veth.ts";
import { addAddress, IFA_F_NODAD } from "../../netlink/address.ts";
import type { LinkRef } from "../../netlink/link.ts";
import type { Request } from "../../netlink/message.ts";
import { addRoute, type Route as KernelRoute, RT_SCOPE_LINK } from "../../netlink/route.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { IpConfig, Result } from "../../spec/result.ts";
import { hasDns } from "../dns.ts";
import { leaseFrom } from "../lease.ts";
import type { PtpConfig } from "./config.ts";

/** The container's end in the result's `interfaces`: behind the host's. */
const INSIDE = 1;

/** An address whose gateway is known: the host's end has it. */
interface Leased extends IpConfig {
  readonly gateway: NonNullable<IpConfig["gateway"]>;
}

/** Joins container and host by a veth pair of their own; the host's end is the gateway. */
export function add(request: AddRequest<PtpConfig>, undo: Undo): Result {
  const { config, netns, hostNetns, ifName } = request;
  const mtu = config.mtu || undefined;
  // Before the addresses: a name that is taken must not cost its owner's.
  const { inside, outside } = undo.keep(
    createVeth({ inside: { netns, name: ifName }, outside: { netns: hostNetns }, mtu, owner: request }),
  );
  const leased = leaseFrom(request, undo);
  const ips = leased.ips.map((ip) => ({ ...withGateway(ip), interface: INSIDE }));
  hostNetns.route.execute(hostSide(outside, ips));
  // No subnet route: neighbours too are reached through the host.
  configureInterface(netns, inside, {
    ips,
    routes: leased.routes ?? [],
    linkRoutes: throughGateways(ips),
    noSubnetRoutes: true,
  });
  enableForwarding(
    hostNetns,
    ips.map(({ address }) => address.family),
  );
  if (config.ipMasq)
    undo.keep(
      masquerade({
        ...request,
        netns: hostNetns,
        addresses: ips.map(({ address }) => address),
        backend: config.ipMasqBackend,
      }),
    );
  return {
    interfaces: [
      { name: outside.name, mac: `${outside.mac}` },
      { name: inside.name, mac: `${inside.mac}`, sandbox: netns.path },
    ],
    ips,
    ...(leased.routes && { routes: leased.routes }),
    ...(hasDns(config.dns) ? { dns: config.dns } : leased.dns && { dns: leased.dns }),
  };
}

function withGateway(ip: IpConfig): Leased {
  if (ip.gateway !== undefined) return { ...ip, gateway: ip.gateway };
  throw new CniError(
    ErrorCode.InvalidConfig,
    `IPAM gave no gateway for ${ip.address}`,
    "ptp gives it to the host's end: name one in the ipam section.",
  );
}

/** The host's end has the gateways' addresses, and routes lead to the container's. */
function hostSide(outside: LinkRef, ips: readonly Leased[]): Request[] {
  const gateways = new Map(ips.map(({ gateway }) => [`${gateway}`, gateway]));
  return [
    ...[...gateways.values()].map((gateway) =>
      addAddress(outside, { cidr: hostCidr(gateway), flags: gateway.family === 6 ? IFA_F_NODAD : 0 }),
    ),
    ...ips.map(({ address }) => addRoute(outside, { dst: address.host, scope: RT_SCOPE_LINK })),
  ];
}

/**
 * The gateways are on the link; what the subnets have besides the addresses is behind them. Of several addresses of a
 * subnet, the first is the source.
 */
function throughGateways(ips: readonly Leased[]): Iterable<KernelRoute> {
  const routes = new Map<string, KernelRoute>();
  const add = (route: KernelRoute) => routes.has(`${route.dst}`) || routes.set(`${route.dst}`, route);
  for (const { address, gateway } of ips) {
    const { network, host, ip: source } = address;
    add({ dst: hostCidr(gateway), scope: RT_SCOPE_LINK, source });
    if (!network.equals(host)) add({ dst: network, gateway, source });
  }
  return routes.values();
}
