import { errno } from "../../host/errno.ts";
import type { Namespace } from "../../net/namespace.ts";
import { withNamespaceLock } from "../../net/namespace-lock.ts";
import { containerNamespaces } from "../../net/owned-inside.ts";
import { VRF_ALIAS } from "../../net/vrf.ts";
import { deleteLink, type Link, listLinks } from "../../netlink/link.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import type { VrfConfig } from "./config.ts";

/**
 * Removes VRFs of ours that have lost their last interface, in all containers. An attachment that is valid is in its VRF
 * still; who removed the interface of another one came before.
 */
export function gc({ config, host }: GcRequest<VrfConfig>, cleanup: Cleanup): void {
  for (const netns of containerNamespaces(host))
    cleanup.step(`remove a stale VRF in ${netns.path}`, () => collect(netns, config.vrfname));
}

function collect(netns: Namespace, name: string): void {
  const { route } = netns;
  const isMade = (link: Link) => link.kind === "vrf" && link.name === name && link.alias === VRF_ALIAS;
  if (!route.dump(listLinks({ kind: "vrf" })).some(isMade)) return;
  withNamespaceLock(netns, () => {
    const links = route.dump(listLinks());
    const vrf = links.find(isMade);
    if (vrf && !links.some(({ master }) => master === vrf.index))
      route.attempt(deleteLink(vrf), errno.ENODEV);
  });
}
