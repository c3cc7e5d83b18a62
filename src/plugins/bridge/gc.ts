import { collectMacSpoofChecks } from "../../net/macspoof/gc.ts";
import { collectMasquerade } from "../../net/masquerade/gc.ts";
import { removeUnowned } from "../../net/owned.ts";
import { gcAndRelease } from "../../plugin/release.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { type BridgeConfig, spoofCheckId } from "./config.ts";

/** Removes links, rules and addresses of attachments that are not in the list. */
export function gc(request: GcRequest<BridgeConfig>, cleanup: Cleanup): void {
  const { config, hostNetns, network, validAttachments } = request;
  cleanup.step("remove stale masquerade rules", () =>
    collectMasquerade(hostNetns, network, validAttachments),
  );
  gcAndRelease(request, cleanup, () =>
    cleanup.step("delete stale interfaces", () =>
      removeUnowned(hostNetns, "veth", network, validAttachments),
    ),
  );
  // Behind the interfaces: it is by their absence that a check is known to be stale.
  if (config.macspoofchk)
    cleanup.step("remove stale MAC spoof checks", () =>
      collectMacSpoofChecks(hostNetns, validAttachments.map(spoofCheckId)),
    );
}
