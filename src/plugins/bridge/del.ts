import { removeMacSpoofCheck } from "../../net/macspoof.ts";
import { removeMasquerade } from "../../net/masquerade.ts";
import { removeOwned } from "../../net/owned.ts";
import { removeLink } from "../../net/veth.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import { type BridgeConfig, spoofCheckId } from "./config.ts";

/** Takes the container off the bridge. The bridge stays, for the next one. */
export function del(request: DelRequest<BridgeConfig>, cleanup: Cleanup): void {
  const { config, netns, hostNetns, ifName, ipam, prevResult } = request;
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
  if (ipam) cleanup.step("release the addresses", () => ipam.del());
  cleanup.step("delete the interface", () => {
    if (netns) removeLink(netns, ifName);
    else removeOwned(hostNetns, "veth", request);
  });
}
