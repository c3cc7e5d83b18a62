import { findHostEnd } from "../../net/host-end.ts";
import { removeIfbs } from "../../net/ifb.ts";
import { removeRateLimits } from "../../net/rate-limit.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import type { BandwidthConfig } from "./config.ts";

/** Removes the limits, whatever the configuration says by now. */
export function del(request: DelRequest<BandwidthConfig>, cleanup: Cleanup): void {
  const { netns, hostNetns, ifName } = request;
  // First: it waits for a grace period, and for what was freed just before it would wait for another one.
  cleanup.step("delete the IFB", () => removeIfbs(hostNetns, request));
  // Without the namespace the pair is gone, or goes with the plugin that has made it.
  if (netns)
    cleanup.step("remove the rate limits", () => {
      const outside = findHostEnd(hostNetns, netns, ifName);
      if (outside) removeRateLimits(hostNetns, outside);
    });
}
