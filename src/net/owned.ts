import { errno } from "../host/errno.ts";
import { deleteLink, type Link, type LinkRef, listLinks, setLink } from "../netlink/link.ts";
import type { Request } from "../netlink/message.ts";
import type { Namespace } from "./namespace.ts";

/**
 * The host's end of a container's interface, or the interface itself where it has none, carries its owner as alias: `ip
 * link` shows that, and by it the link is found again when the container has renamed its end or cannot be reached.
 */

/** IFALIASZ (linux/if.h) less the NUL. */
const ALIAS_LENGTH = 255;
const PREFIX = "cni:";

/** An attachment: one container's interface on one network. */
export interface Owner {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
}

/** Marks a link as made for an attachment. Nothing is marked with a name too long for an alias. */
export function markOwner(link: LinkRef, owner: Owner): Request[] {
  const alias = aliasOf(owner);
  return alias.length > ALIAS_LENGTH ? [] : [setLink(link, { alias })];
}

/** Whether a link was made for the attachment. */
export function isOwned({ alias }: Link, owner: Owner): boolean {
  return alias === aliasOf(owner);
}

/** Deletes the links of this kind that were made for the attachment, with their peers. */
export function removeOwned(netns: Namespace, kind: string, owner: Owner): void {
  remove(netns, kind, (link) => isOwned(link, owner));
}

/** Deletes the links of this kind that were made for attachments of the network which are not to stay. */
export function removeUnowned(
  netns: Namespace,
  kind: string,
  network: string,
  keep: readonly Omit<Owner, "network">[],
): void {
  const kept = new Set(keep.map(({ containerId, ifName }) => aliasOf({ network, containerId, ifName })));
  remove(netns, kind, ({ alias }) => alias.startsWith(prefixOf(network)) && !kept.has(alias));
}

/** Whether a link was made for another attachment than this one. */
export function isAnothers({ alias }: Link, owner: Owner): boolean {
  return alias.startsWith(PREFIX) && alias !== aliasOf(owner);
}

function remove({ route }: Namespace, kind: string, isMeant: (link: Link) => boolean): void {
  // One may go meanwhile with its peer's namespace, which the kernel is still taking down.
  for (const link of route.dump(listLinks({ kind })).filter(isMeant))
    route.attempt(deleteLink(link), errno.ENODEV);
}

function aliasOf({ network, containerId, ifName }: Owner): string {
  return `${prefixOf(network)}${containerId}/${ifName}`;
}

function prefixOf(network: string): string {
  return `${PREFIX}${network}/`;
}
