import { callDaemon } from "../../dhcp/client.ts";
import type { AttachmentId, Call } from "../../dhcp/protocol.ts";
import { waitLimit } from "../../plugin/limit.ts";
import type { Attachment, Call as PluginCall } from "../../plugin/types.ts";
import { CniError } from "../../spec/errors.ts";
import type { JsonObject } from "../../spec/json.ts";
import { type DhcpConfig, socketPathOf } from "./config.ts";

/** For all but ADD, the daemon need not ask anybody. */
const TIMEOUT_MS = 30_000;

/** What the daemon answers. `callDaemon` tells of the errors. */
export function askDaemon({ host, config }: PluginCall<DhcpConfig>, call: Call): JsonObject {
  // By itself the daemon gives up seeking a lease, but when, its flags say.
  const standard = call.command === "ADD" ? Number.POSITIVE_INFINITY : TIMEOUT_MS;
  return callDaemon(host, socketPathOf(config), call, waitLimit(host, standard));
}

export function attachmentOf({
  containerId,
  network,
  ifName,
}: PluginCall<DhcpConfig> & Attachment): AttachmentId {
  return { containerId, network, ifName };
}

/** Adds the words that the reference has before what its daemon says. */
export function calling<T>(method: "Allocate" | "Release", call: () => T): T {
  try {
    return call();
  } catch (error) {
    const reached = error instanceof CniError && !error.message.startsWith("error dialing");
    if (reached) error.message = `error calling DHCP.${method}: ${error.message}`;
    throw error;
  }
}
