import { errno } from "../../host/errno.ts";
import type { Namespace } from "../../net/namespace.ts";
import { withNamespaceLock } from "../../net/namespace-lock.ts";
import { deleteLink, listLinks, setLink } from "../../netlink/link.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import type { VrfConfig } from "./config.ts";

/** Takes the interface out of the VRF, which goes with its last one. */
export function del({ config, netns, ifName }: DelRequest<VrfConfig>, cleanup: Cleanup): void {
  if (netns === undefined) return;
  cleanup.step("take the interface out of the VRF", () =>
    withNamespaceLock(netns, () => leave(netns, config.vrfname, ifName)),
  );
}

function leave({ route }: Namespace, name: string, ifName: string): void {
  const links = route.dump(listLinks());
  const vrf = links.find((link) => link.kind === "vrf" && link.name === name);
  if (vrf === undefined) return;
  const ports = links.filter(({ master }) => master === vrf.index);
  const own = ports.find((port) => port.name === ifName);
  // A VRF that goes lets its interfaces go.
  if (ports.every((port) => port === own)) route.attempt(deleteLink(vrf), errno.ENODEV);
  else if (own) route.attempt(setLink(own, { master: 0 }), errno.ENODEV);
}
