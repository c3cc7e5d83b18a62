import { removeUnowned } from "../../net/owned.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { BandwidthConfig } from "./config.ts";

/** Deletes IFBs of attachments that are not in the list. What is on a veth pair goes with the pair. */
export function gc(
  { hostNetns, network, validAttachments }: GcRequest<BandwidthConfig>,
  cleanup: Cleanup,
): void {
  cleanup.step("delete stale IFBs", () => removeUnowned(hostNetns, "ifb", network, validAttachments));
}
