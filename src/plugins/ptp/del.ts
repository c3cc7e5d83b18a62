import { removeMasquerade } from "../../net/masquerade/masquerade.ts";
import { removeOwnedVeth } from "../../net/owned-veth.ts";
import { delAndRelease } from "../../plugin/release.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import type { PtpConfig } from "./config.ts";

/** Removes the veth pair, and all that was made for it. */
export function del(request: DelRequest<PtpConfig>, cleanup: Cleanup): void {
  const { config, hostNetns, prevResult } = request;
  // First: what the kernel frees after a grace period waits during the link's own.
  if (config.ipMasq)
    cleanup.step("remove the masquerade rules", () =>
      removeMasquerade(
        hostNetns,
        request,
        prevResult?.ips?.map(({ address }) => address),
      ),
    );
  delAndRelease(request, cleanup, () => cleanup.step("delete the interface", () => removeOwnedVeth(request)));
}
