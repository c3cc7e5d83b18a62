import { removeMasquerade } from "../../net/masquerade.ts";
import { removeOwned } from "../../net/owned.ts";
import { removeLink } from "../../net/veth.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import type { PtpConfig } from "./config.ts";

/** Removes the veth pair, and all that was made for it. */
export function del(request: DelRequest<PtpConfig>, cleanup: Cleanup): void {
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
  if (ipam) cleanup.step("release the addresses", () => ipam.del());
  cleanup.step("delete the interface", () => {
    if (netns) removeLink(netns, ifName);
    else removeOwned(hostNetns, "veth", request);
  });
}
