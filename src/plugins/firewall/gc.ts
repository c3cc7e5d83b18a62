import { collectFromFirewall, type Distrust } from "../../net/firewall/remove.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";

/** Takes away what is there for attachments that are not in the list. */
export function collect(request: GcRequest<FirewallConfig>, cleanup: Cleanup, distrust: Distrust): void {
  const { hostNetns, network, validAttachments } = request;
  cleanup.step("remove stale rules of the firewall", () =>
    collectFromFirewall(hostNetns, network, validAttachments, distrust),
  );
}
