import { damaged } from "../../net/damaged.ts";
import { containerInterface, verifyLayer3, verifyLink, verifyUp } from "../../net/verify.ts";
import { getLink, type Link } from "../../netlink/link.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { ChildConfig } from "./config.ts";

/**
 * Throws if the container's interface is not as ADD has left it: of this kind, on its master, as `verifyKind` wants it,
 * up, with its addresses and routes.
 */
export function checkChild(
  request: CheckRequest<ChildConfig>,
  kind: string,
  verifyKind: (link: Link) => void,
): void {
  const { netns, ifName, prevResult, ipam } = request;
  if (prevResult === undefined)
    throw damaged("prevResult is missing", "CHECK needs the result of ADD as prevResult.");
  ipam?.check();
  const link = verifyLink(netns, kind, containerInterface(prevResult, ifName, netns.path));
  verifyMaster(request, link);
  verifyKind(link);
  verifyUp(link);
  verifyLayer3(netns, link, prevResult);
}

/** A default route may have changed since ADD: only a master that is named is looked at. */
function verifyMaster({ config, netns, hostNetns }: CheckRequest<ChildConfig>, link: Link): void {
  if (config.master === "") return;
  const below = config.linkInContainer ? netns : hostNetns;
  const master = below.route.query(getLink(config.master));
  if (master === undefined)
    throw damaged(`master ${config.master} is missing in ${below.path || "the host"}`);
  // The kernel puts a macvlan that is made on another one beside it, on the other's own master; so with ipvlan.
  const beside = master.kind === link.kind && link.lower === master.lower;
  if (link.lower !== master.index && !beside)
    throw damaged(`interface ${link.name} is not on master ${config.master}`);
}
