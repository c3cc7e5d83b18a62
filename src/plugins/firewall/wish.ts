import { DEFAULT_ADMIN_CHAIN } from "../../net/firewall/nftables.ts";
import type { FirewallWish, Ingress } from "../../net/firewall/wish.ts";
import type { AddRequest, CheckRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import type { FirewallConfig } from "./config.ts";

/** What the firewall is to do for the result of the plugins before. Code 7 without it. */
export function wishOf(request: AddRequest<FirewallConfig> | CheckRequest<FirewallConfig>): FirewallWish {
  const { config, network, containerId, ifName, hostNetns, prevResult } = request;
  if (prevResult === undefined)
    throw new CniError(
      ErrorCode.InvalidConfig,
      "missing prevResult from earlier plugin",
      "firewall changes no interface of its own: put it behind a plugin such as bridge in the list of plugins.",
    );
  const { ingressPolicy: policy } = config;
  return {
    network,
    containerId,
    ifName,
    netns: hostNetns,
    addresses: (prevResult.ips ?? []).map(({ address }) => address),
    adminChain: config.iptablesAdminChainName || DEFAULT_ADMIN_CHAIN,
    ...(policy !== "open" && { ingress: ingressOf(policy, prevResult) }),
  };
}

/** The bridge is the first of the interfaces, as the bridge plugin tells it; then come its port, and `br0.100` for a VLAN. */
function ingressOf(policy: Ingress["policy"], { interfaces = [] }: Result): Ingress {
  const bridge = interfaces[0]?.name;
  if (!bridge)
    throw new CniError(
      ErrorCode.InvalidConfig,
      `interface needs to be set for ingress policy ${JSON.stringify(policy)}, make sure to chain "firewall" plugin with "bridge"`,
      "The first of prevResult's interfaces must be the bridge.",
    );
  const others = interfaces
    .filter(({ name, sandbox }) => !sandbox && name !== bridge)
    .map(({ name }) => name);
  const ofVlan = others.find((name) => name.startsWith(`${bridge}.`));
  return { policy, bridge, router: ofVlan ?? bridge, port: others.find((name) => name !== ofVlan) };
}
