import { forgetEarlierConnections } from "../../net/conntrack.ts";
import { forwardPorts } from "../../net/hostports/forward.ts";
import { forwardsByFamily } from "../../net/hostports/wish.ts";
import { loopbackTarget, routeLocalnet } from "../../net/route-localnet.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { Result } from "../../spec/result.ts";
import { backendOf, type PortmapConfig, wishOf } from "./config.ts";

/** Forwards the ports of the capability `portMappings` to the container; the result is that of the plugin before. */
export function add(request: AddRequest<PortmapConfig>, undo: Undo): Result {
  const { config, hostNetns, prevResult } = request;
  const backend = backendOf(config);
  if (prevResult === undefined)
    throw new CniError(
      ErrorCode.InvalidConfig,
      "must be called as chained plugin",
      "It forwards to addresses that a plugin before it has given: name it behind that one in the list.",
    );
  const wish = wishOf(request, prevResult);
  if (wish.mappings.length === 0) return prevResult;
  undo.keep(forwardPorts(wish, backend));
  const local = loopbackTarget(wish);
  if (local) routeLocalnet(hostNetns, local);
  // Behind the rules, which the next packet of such a connection meets.
  forgetEarlierConnections(hostNetns, forwardsByFamily(wish));
  return prevResult;
}
