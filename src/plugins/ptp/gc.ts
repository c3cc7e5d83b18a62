import { collectMasquerade } from "../../net/masquerade/gc.ts";
import { removeUnowned } from "../../net/owned.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { PtpConfig } from "./config.ts";

/** Removes links, rules and addresses of attachments that are not in the list. */
export function gc(
  { hostNetns, network, validAttachments, ipam }: GcRequest<PtpConfig>,
  cleanup: Cleanup,
): void {
  cleanup.step("remove stale masquerade rules", () =>
    collectMasquerade(hostNetns, network, validAttachments),
  );
  cleanup.step("delete stale interfaces", () => removeUnowned(hostNetns, "veth", network, validAttachments));
  if (ipam) cleanup.step("release stale addresses", () => ipam.gc());
}
