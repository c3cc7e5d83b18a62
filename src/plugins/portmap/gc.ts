import { collectIptablesForwards } from "../../net/hostports/iptables-gc.ts";
import { collectNftablesForwards } from "../../net/hostports/nftables-gc.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { PortmapConfig } from "./config.ts";

/** Stops forwarding to attachments that are not in the list. */
export function gc(
  { hostNetns, network, validAttachments }: GcRequest<PortmapConfig>,
  cleanup: Cleanup,
): void {
  cleanup.step("stop forwarding to stale attachments", () =>
    collectNftablesForwards(hostNetns, network, validAttachments),
  );
  cleanup.step("stop forwarding to stale attachments by iptables", () =>
    collectIptablesForwards(hostNetns, network, validAttachments),
  );
}
