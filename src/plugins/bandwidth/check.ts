import { damaged } from "../../net/damaged.ts";
import { requireHostEnd } from "../../net/host-end.ts";
import { findIfb } from "../../net/ifb.ts";
import { verifyRateLimit, verifyRedirection } from "../../net/rate-limit-check.ts";
import { verifyLink, verifyUp } from "../../net/verify.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import { type BandwidthConfig, limitsOf } from "./config.ts";

/** Throws if a limit is missing or another one. */
export function check(request: CheckRequest<BandwidthConfig>): void {
  const { config, netns, hostNetns, ifName, prevResult } = request;
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  const { ingress, egress } = limitsOf(config);
  if (!ingress && !egress) return;
  const outside = requireHostEnd(hostNetns, netns, ifName);
  if (ingress) verifyRateLimit(hostNetns, outside, ingress);
  if (!egress) return;
  const found = findIfb(hostNetns, request);
  if (found === undefined) throw damaged(`the IFB that limits what comes from ${ifName} is missing`);
  const described = prevResult.interfaces?.find(({ name, sandbox }) => name === found.name && !sandbox);
  const ifb = verifyLink(hostNetns, "ifb", described ?? { name: found.name });
  verifyUp(ifb);
  verifyRateLimit(hostNetns, ifb, egress);
  verifyRedirection(hostNetns, outside, ifb);
}
