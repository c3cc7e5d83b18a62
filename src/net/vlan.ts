import { errno } from "../host/errno.ts";
import { addBridgeVlans } from "../netlink/bridge-vlan.ts";
import { createLink, getLink, IFF_UP, type Link, setLink } from "../netlink/link.ts";
import { vlan } from "../netlink/links/vlan.ts";
import { parseIfName } from "../spec/names.ts";
import { allOrNothing } from "./all-or-nothing.ts";
import type { Namespace } from "./namespace.ts";
import { removeLink, requireLink } from "./veth.ts";

/**
 * The host's own foot in a VLAN of a bridge: `<bridge>.<vlan>`, made if it is not there, and up. It goes with the
 * bridge. `remove` deletes it if it was made here.
 */
export function ensureVlanLink(netns: Namespace, bridge: Link, id: number): { link: Link; remove(): void } {
  const { route } = netns;
  const name = parseIfName(`${bridge.name}.${id}`);
  const existing = route.query(getLink(name));
  if (existing !== undefined) {
    if ((existing.flags & IFF_UP) === 0) route.execute([setLink(existing, { up: true })]);
    return { link: existing, remove() {} };
  }
  let made = false;
  const remove = () => {
    if (made) removeLink(netns, name);
  };
  const make = (): Link => {
    made = create(netns, bridge, id, name);
    return requireLink(netns, name);
  };
  return { link: allOrNothing(make, remove), remove };
}

/** False if somebody else was faster. */
function create({ route }: Namespace, bridge: Link, id: number, name: string): boolean {
  route.execute([addBridgeVlans(bridge, [{ first: id, last: id }], { self: true })]);
  const wish = { name, lower: bridge.index, mac: bridge.mac, up: true };
  return route.attempt(createLink(vlan(id), wish), errno.EEXIST);
}
