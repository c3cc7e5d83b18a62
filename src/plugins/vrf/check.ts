import { damaged } from "../../net/damaged.ts";
import { verifyLayer3, verifyUp } from "../../net/verify.ts";
import { requireLink } from "../../net/veth.ts";
import { getLink } from "../../netlink/link.ts";
import { readVrfTable } from "../../netlink/links/vrf.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import { requireResult, type VrfConfig } from "./config.ts";

/** Throws if the VRF is missing or changed, or the interface has left it, or has lost an address or a route. */
export function check({ config, netns, ifName, prevResult }: CheckRequest<VrfConfig>): void {
  const { vrfname, table } = config;
  const result = requireResult(prevResult);
  const vrf = netns.route.query(getLink(vrfname));
  const present = vrf && readVrfTable(vrf);
  if (vrf === undefined || present === undefined) throw damaged(`VRF ${vrfname} is missing in ${netns.path}`);
  if (table !== 0 && present !== table) throw damaged(`VRF ${vrfname} has table ${present}, not ${table}`);
  verifyUp(vrf);
  const link = requireLink(netns, ifName);
  if (link.master !== vrf.index) throw damaged(`failed to find ${ifName} associated to vrf ${vrfname}`);
  verifyLayer3(netns, link, result);
}
