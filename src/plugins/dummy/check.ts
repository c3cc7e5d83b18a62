import { damaged } from "../../net/damaged.ts";
import { containerInterface, verifyLayer3, verifyLink, verifyUp } from "../../net/verify.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import { requireIpam } from "../lease.ts";

/** Throws if something is not as ADD has left it: the link, its addresses and routes, the reservation. */
export function check({ netns, ifName, prevResult, ipam }: CheckRequest<object>): void {
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  requireIpam(ipam).check();
  const link = verifyLink(netns, "dummy", containerInterface(prevResult, ifName, netns.path));
  verifyUp(link);
  verifyLayer3(netns, link, prevResult);
}
