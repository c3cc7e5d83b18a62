import { type ChildWish, createChildLink } from "../../net/child-link.ts";
import { checkMtu, findMaster } from "../../net/master.ts";
import type { Link } from "../../netlink/link.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import type { ChildConfig } from "./config.ts";

/** Makes the container's interface on its master, which `master` names if the configuration does not; it is down. */
export function addChild(
  request: AddRequest<ChildConfig>,
  { kind, mac, master = request.config.master }: Pick<ChildWish, "kind" | "mac"> & { master?: string },
  undo: Undo,
): Link {
  const { config, netns, hostNetns, ifName } = request;
  const below = config.linkInContainer ? netns : hostNetns;
  const link = findMaster(below, master);
  checkMtu(config.mtu, link);
  const mtu = config.mtu || undefined;
  const wish = { kind, master: { netns: below, link }, netns, name: ifName, mtu, mac, owner: request };
  return undo.keep(createChildLink(wish)).link;
}
