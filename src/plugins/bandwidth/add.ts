import { requireHostEnd } from "../../net/host-end.ts";
import { limitIncoming } from "../../net/ifb.ts";
import { limitRate } from "../../net/rate-limit.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { type BandwidthConfig, limitsOf } from "./config.ts";

/** Limits what passes the host's end of the container's veth pair: what leaves it goes to the container. */
export function add(request: AddRequest<BandwidthConfig>, undo: Undo): Result {
  const { config, netns, hostNetns, ifName, prevResult } = request;
  const { ingress, egress } = limitsOf(config);
  if (prevResult === undefined)
    throw new CniError(
      ErrorCode.InvalidConfig,
      "must be called as chained plugin",
      "bandwidth limits the interface that a plugin before it in the list has made.",
    );
  if (!ingress && !egress) return prevResult;
  const outside = requireHostEnd(hostNetns, netns, ifName);
  if (ingress) undo.keep(limitRate(hostNetns, outside, ingress));
  if (!egress) return prevResult;
  const { ifb } = undo.keep(limitIncoming(hostNetns, outside, egress, request));
  const { interfaces = [] } = prevResult;
  return { ...prevResult, interfaces: [...interfaces, { name: ifb.name, mac: `${ifb.mac}` }] };
}
