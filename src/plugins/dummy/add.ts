import { errno } from "../../host/errno.ts";
import { allOrNothing } from "../../net/all-or-nothing.ts";
import { nameTaken } from "../../net/name-taken.ts";
import { markOwner } from "../../net/owned.ts";
import { removeLink, requireLink } from "../../net/veth.ts";
import { createLink, getLink, type Link } from "../../netlink/link.ts";
import type { AddRequest, Undo } from "../../plugin/types.ts";
import type { Result } from "../../spec/result.ts";
import { configureInside } from "../inside/configure.ts";
import { leaseFrom, requireIpam } from "../lease.ts";

/** Makes a dummy link in the container and gives it the addresses and routes of IPAM. */
export function add(request: AddRequest<object>, undo: Undo): Result {
  requireIpam(request.ipam);
  // Before the addresses: a name that is taken must not cost its owner's.
  const { link } = undo.keep(createDummy(request));
  return configureInside({ ...request, config: {} }, link, leaseFrom(request, undo));
}

/** A link of kind dummy, down, marked as the attachment's. */
function createDummy(request: AddRequest<object>): { link: Link; remove(): void } {
  const { netns, ifName: name } = request;
  let made = true;
  const remove = () => {
    if (made) removeLink(netns, name);
  };
  const link = allOrNothing(() => {
    made = netns.route.attempt(createLink({ kind: "dummy" }, { name }), errno.EEXIST);
    if (!made) throw nameTaken(name);
    return netns.route.executeThen(markOwner({ index: 0, name }, request), getLink(name));
  }, remove);
  return { link: link ?? requireLink(netns, name), remove };
}
