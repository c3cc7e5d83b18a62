import type { MacAddress } from "../address/mac.ts";
import { errno } from "../host/errno.ts";
import { createLink, getLink, type Link, type LinkKind, setLink } from "../netlink/link.ts";
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
  const remove = () => {
    removeLink(netns, name);
  };
  const link = allOrNothing(() => {
    if (!master.netns.route.attempt(creation(wish, name), errno.EEXIST)) createRenamed(wish);
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
  const { master, netns, name } = wish;
  const passing = randomName(netns.host);
  allOrNothing(
    () => {
      master.netns.route.execute([creation(wish, passing)]);
      netns.route.execute([setLink(requireLink(netns, passing), { name })]);
    },
    () => removeLink(netns, passing),
  );
}
