import { MacAddress } from "../address/mac.ts";
import { errno } from "../host/errno.ts";
import type { Host } from "../host/host.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
import { createLink, deleteLink, getLink, type Link, type LinkRef } from "../netlink/link.ts";
import { veth } from "../netlink/links/veth.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { allOrNothing } from "./all-or-nothing.ts";
import { nameTaken } from "./name-taken.ts";
import type { Namespace } from "./namespace.ts";
import { markOwner, type Owner } from "./owned.ts";

const NAME_ATTEMPTS = 10;

export interface VethEnd {
  readonly netns: Namespace;
  readonly mac?: MacAddress | undefined;
}

export interface VethWish {
  /** The container's end. */
  readonly inside: VethEnd & { readonly name: string };
  /** The host's end: up at once, with a random name. */
  readonly outside: VethEnd & { readonly master?: number | undefined };
  /** Whose interface it is: the host's end is marked so. */
  readonly owner: Owner;
  /** Bytes; the kernel's choice unless given. */
  readonly mtu?: number | undefined;
}

export interface VethPair {
  readonly inside: LinkRef & { readonly mac: MacAddress };
  /** The host's end as it was when the pair was made. */
  readonly outside: Link;
  remove(): void;
}

/**
 * Creates a pair of virtual Ethernet links, each end in its namespace at once, the host's end as port of `master`.
 * The container's end is down. Code 4 if its name is taken.
 */
export function createVeth(wish: VethWish): VethPair {
  const { inside, outside } = wish;
  const mac = inside.mac ?? randomMac(inside.netns.host);
  for (let attempt = 1; ; attempt++) {
    const name = randomName(outside.netns.host);
    try {
      return create(wish, name, mac);
    } catch (error) {
      if (!isNetlinkErrno(error, errno.EEXIST)) throw error;
      if (inside.netns.route.query(getLink(inside.name))) throw nameTaken(inside.name, "veth");
      // Another link has the random name.
      if (attempt === NAME_ATTEMPTS) throw error;
    }
  }
}

function create({ inside, outside, mtu, owner }: VethWish, name: string, mac: MacAddress): VethPair {
  const { route } = outside.netns;
  const own = { name, up: true, mtu, mac: outside.mac, master: outside.master };
  const peer = { name: inside.name, netnsFd: inside.netns.fd, mac, mtu };
  const requests = [createLink(veth(peer), own), ...markOwner({ index: 0, name }, owner)];
  let taken = false;
  const remove = () => {
    if (!taken) removeLink(outside.netns, name);
  };
  const made = allOrNothing(() => {
    try {
      return route.executeThen(requests, getLink(name));
    } catch (error) {
      taken = isNetlinkErrno(error, errno.EEXIST);
      throw error;
    }
  }, remove);
  if (made === undefined) throw linkNotFound(outside.netns, name);
  // What is below a veth's end is its peer.
  return { inside: { index: made.lower, name: inside.name, mac }, outside: made, remove };
}

/** `veth` and eight digits. */
export function randomName(host: Host): string {
  return `veth${Array.from(host.random(4), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** A random, locally administered unicast address. */
export function randomMac(host: Host): MacAddress {
  const bytes = host.random(6);
  bytes[0] = (bytes[0]! & 0xfe) | 0x02;
  return new MacAddress(bytes);
}

/** The link of that name. Code 100 if there is none. */
export function requireLink(netns: Namespace, name: string): Link {
  const link = netns.route.query(getLink(name));
  if (link === undefined) throw linkNotFound(netns, name);
  return link;
}

function linkNotFound({ path }: Namespace, name: string): CniError {
  const details = `It was looked for in ${path || "the host's namespace"}.`;
  return new CniError(ErrorCode.Plugin, `interface ${name} not found`, details);
}

/** Deletes a link if it is there, and with a veth its peer. False if it was gone already. */
export function removeLink({ route }: Namespace, name: string): boolean {
  return route.attempt(deleteLink({ index: 0, name }), errno.ENODEV);
}
