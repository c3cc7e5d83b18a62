import { hostCidr } from "../../address/cidr.ts";
import { damaged } from "../../net/damaged.ts";
import { checkMasquerade } from "../../net/masquerade/check.ts";
import {
  containerInterface,
  ipsOf,
  verifyAddresses,
  verifyLayer3,
  verifyLink,
  verifyRoutes,
  verifyUp,
} from "../../net/verify.ts";
import { getLinkByIndex } from "../../netlink/link.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { PtpConfig } from "./config.ts";

/** Throws if something is not as ADD has left it: both ends, addresses, routes, rules, reservation. */
export function check(request: CheckRequest<PtpConfig>): void {
  const { config, netns, hostNetns, ifName, prevResult, ipam } = request;
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  ipam?.check();
  const inside = verifyLink(netns, "veth", containerInterface(prevResult, ifName, netns.path));
  verifyUp(inside);
  verifyLayer3(netns, inside, prevResult);
  const outside = hostNetns.route.query(getLinkByIndex(inside.lower));
  if (outside === undefined || outside.kind !== "veth" || outside.lower !== inside.index)
    throw damaged(`the host's end of ${ifName} is missing`);
  verifyUp(outside);
  const ips = ipsOf(prevResult, ifName, netns.path);
  const addresses = ips.map(({ address }) => address);
  const gateways = ips.flatMap(({ gateway }) => (gateway ? [hostCidr(gateway)] : []));
  verifyAddresses(hostNetns, outside, gateways);
  verifyRoutes(
    hostNetns,
    addresses.map(({ host }) => ({ dst: host })),
  );
  const subnets = addresses
    .filter(({ network, host }) => !network.equals(host))
    .map(({ network }) => network);
  verifyRoutes(
    netns,
    [...gateways, ...subnets].map((dst) => ({ dst })),
  );
  if (config.ipMasq)
    checkMasquerade({ ...request, netns: hostNetns, addresses, backend: config.ipMasqBackend });
}
