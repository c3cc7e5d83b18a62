import { errno } from "../host/errno.ts";
import { addBridgeVlans } from "../netlink/bridge-vlan.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
import { createLink, deleteLink, getLink, type Link } from "../netlink/link.ts";
import { vlan } from "../netlink/links/vlan.ts";
import { parseIfName } from "../spec/names.ts";
import type { Namespace } from "./namespace.ts";
import { requireLink } from "./veth.ts";

/**
 * The host's own foot in a VLAN of a bridge: `<bridge>.<vlan>`, made and up if it is not there. It goes with the
 * bridge. `remove` deletes it if it was made here.
 */
export function ensureVlanLink(netns: Namespace, bridge: Link, id: number): { link: Link; remove(): void } {
  const name = parseIfName(`${bridge.name}.${id}`);
  const existing = netns.route.query(getLink(name));
  if (existing !== undefined) return { link: existing, remove() {} };
  try {
    netns.route.execute([
      addBridgeVlans(bridge, [{ first: id, last: id }], { self: true }),
      createLink(vlan(id), { name, lower: bridge.index, mac: bridge.mac, up: true }),
    ]);
  } catch (error) {
    // Another call was faster.
    if (!isNetlinkErrno(error, errno.EEXIST)) throw error;
    return { link: requireLink(netns, name), remove() {} };
  }
  const link = requireLink(netns, name);
  return { link, remove: () => netns.route.execute([deleteLink(link)]) };
}
