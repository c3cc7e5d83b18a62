import type { MacAddress } from "../address/mac.ts";
import { errno } from "../host/errno.ts";
import { createLink, deleteLink, getLink, type Link, type LinkKind, setLink } from "../netlink/link.ts";
import type { Request } from "../netlink/message.ts";
import { allOrNothing } from "./all-or-nothing.ts";
import { requireFreeName } from "./name-taken.ts";
import type { Namespace } from "./namespace.ts";
import { markOwner, type Owner } from "./owned.ts";
import { randomName, removeLink, requireLink } from "./veth.ts";

/** A link on top of another: macvlan, ipvlan, vlan. */
export interface ChildWish {
  readonly kind: LinkKind;
  /** The link below, and the namespace that it is in. */
  readonly master: { readonly netns: Namespace; readonly link: Link };
  /** Where the new link belongs. */
  readonly netns: Namespace;
  readonly name: string;
  /** Bytes; the master's unless given. */
  readonly mtu?: number | undefined;
  /** The kernel's choice unless given. */
  readonly mac?: MacAddress | undefined;
  /** Whose interface it is: the link is marked so. */
  readonly owner: Owner;
}

export interface ChildLink {
  readonly link: Link;
  remove(): void;
}

/** Creates the link in its namespace at once; it is down. Code 4 if its name is taken. */
export function createChildLink(wish: ChildWish): ChildLink {
  const { master, netns, name, owner } = wish;
  requireFreeName(netns, name);
  // Until the kernel says that it is not so: its answer may get lost.
  let made = true;
  const remove = () => {
    if (made) removeLink(netns, name);
  };
  const link = allOrNothing(() => {
    made = master.netns.route.attempt(creation(wish, name), errno.EEXIST);
    if (!made) createRenamed(wish);
    made = true;
    return netns.route.executeThen(markOwner({ index: 0, name }, owner), getLink(name));
  }, remove);
  return { link: link ?? requireLink(netns, name), remove };
}

function creation({ kind, master, netns, mtu, mac, ...wish }: ChildWish, name: string): Request {
  const netnsFd = master.netns === netns ? undefined : netns.fd;
  return {
    ...createLink(kind, { name, lower: master.link.index, netnsFd, mtu, mac }),
    what: `create ${kind.kind} ${wish.name} on ${master.link.name}`,
  };
}

/**
 * With a passing name: before Linux 6.15 the kernel looks for the name where the message comes from, and a host has its
 * own eth0.
 */
function createRenamed(wish: ChildWish): void {
  const { master, netns, name, owner } = wish;
  const passing = { index: 0, name: randomName(netns.host) };
  const made = allOrNothing(
    () => {
      master.netns.route.execute([creation(wish, passing.name)]);
      // Marked first: DEL finds it by that or by its name.
      const marked = netns.route.executeThen(markOwner(passing, owner), getLink(passing.name));
      return marked ?? requireLink(netns, passing.name);
    },
    () => removeLink(netns, passing.name),
  );
  allOrNothing(
    () => netns.route.execute([setLink(made, { name })]),
    // By its index: whether it has its name already, nobody may have told.
    () => netns.route.attempt(deleteLink(made), errno.ENODEV),
  );
}
