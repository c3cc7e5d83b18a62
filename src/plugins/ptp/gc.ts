import { collectMasquerade } from "../../net/masquerade/gc.ts";
import { removeUnowned } from "../../net/owned.ts";
import { gcAndRelease } from "../../plugin/release.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { PtpConfig } from "./config.ts";

/** Removes links, rules and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<PtpConfig>, cleanup: Cleanup): void {
  const { hostNetns, network, validAttachments } = request;
  cleanup.step("remove stale masquerade rules", () =>
    collectMasquerade(hostNetns, network, validAttachments),
  );
  gcAndRelease(request, cleanup, () =>
    cleanup.step("delete stale interfaces", () =>
      removeUnowned(hostNetns, "veth", network, validAttachments),
    ),
  );
}
