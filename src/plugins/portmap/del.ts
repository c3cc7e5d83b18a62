import { forgetConnections } from "../../net/conntrack.ts";
import { removeForwards } from "../../net/hostports/remove.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { type PortmapConfig, wishOf } from "./config.ts";

/** Stops forwarding to the container, whichever backend it was by. */
export function del(request: DelRequest<PortmapConfig>, cleanup: Cleanup): void {
  const { hostNetns, prevResult = {} } = request;
  const wish = wishOf(request, prevResult);
  const { mappings, addresses } = wish;
  const isKnown = mappings.length > 0 && addresses.length > 0;
  cleanup.step("stop forwarding ports", () => removeForwards(hostNetns, request, isKnown ? wish : undefined));
  // Behind the rules: no new ones come.
  cleanup.step("forget the connections", () => forgetConnections(hostNetns, mappings, addresses));
}
