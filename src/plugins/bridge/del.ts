import { removeMacSpoofCheck } from "../../net/macspoof/macspoof.ts";
import { removeMasquerade } from "../../net/masquerade/masquerade.ts";
import { removeOwnedVeth } from "../../net/owned-veth.ts";
import { delAndRelease } from "../../plugin/release.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { type BridgeConfig, spoofCheckId } from "./config.ts";

/** Takes the container off the bridge. The bridge stays, for the next one. */
export function del(request: DelRequest<BridgeConfig>, cleanup: Cleanup): void {
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
  if (config.macspoofchk)
    cleanup.step("remove the MAC spoof check", () => removeMacSpoofCheck(hostNetns, spoofCheckId(request)));
  delAndRelease(request, cleanup, () => cleanup.step("delete the interface", () => removeOwnedVeth(request)));
}
