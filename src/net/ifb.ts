import { errno } from "../host/errno.ts";
import type { Host } from "../host/host.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
import { addRedirection } from "../netlink/filter.ts";
import { createLink, deleteLink, getLink, type Link, setLink } from "../netlink/link.ts";
import { ifb } from "../netlink/links/ifb.ts";
import { addQdisc, ingress } from "../netlink/qdisc.ts";
import { tbf } from "../netlink/tbf.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { allOrNothing } from "./all-or-nothing.ts";
import type { Namespace } from "./namespace.ts";
import { isAnothers, isOwned, markOwner, type Owner } from "./owned.ts";
import { placeQdisc, type RateLimit, tokenBucket } from "./rate-limit.ts";
import { randomMac } from "./veth.ts";

/**
 * What comes in by a link cannot wait there: it is sent round by an IFB, a link of its own, whose queue has the limit.
 * The first of a container's IFBs on a network has the name that the reference gives, so that each finds the other's;
 * the alias says for which of the container's interfaces it is.
 */

const PREFIX = "bwp";
/** IFNAMSIZ without the NUL. */
const NAME_LENGTH = 15;

export interface IncomingLimit {
  /** The IFB, as it was when it was made. */
  readonly ifb: Link;
  remove(): void;
}

/** Limits what comes in by a link. EEXIST if it has filters for that already. */
export function limitIncoming(netns: Namespace, link: Link, limit: RateLimit, owner: Owner): IncomingLimit {
  const { route } = netns;
  const ifb = createIfb(netns, link.mtu, owner);
  let filters: { remove(): void } | undefined;
  const remove = () => {
    filters?.remove();
    route.attempt(deleteLink(ifb), errno.ENODEV);
  };
  allOrNothing(() => {
    filters = placeQdisc(netns, link, ingress);
    route.execute([
      ...markOwner(ifb, owner),
      // Before it is up: the kernel would have to stop it for that.
      addQdisc(ifb, tbf(tokenBucket(limit))),
      setLink(ifb, { up: true }),
      addRedirection(link, ifb),
    ]);
  }, remove);
  return { ifb, remove };
}

/** Deletes the attachment's IFB; where it has none, one that nobody has marked: the reference's. */
export function removeIfbs(netns: Namespace, owner: Owner): void {
  const { route } = netns;
  const [shared, own] = ifbNames(netns.host, owner);
  const hadOwn = route.attempt(deleteLink({ index: 0, name: own }), errno.ENODEV);
  const link = route.query(getLink(shared));
  const isMeant = link && (hadOwn ? isOwned(link, owner) : !isAnothers(link, owner));
  if (isMeant) route.attempt(deleteLink(link), errno.ENODEV);
}

/** The attachment's IFB, undefined if there is none. */
export function findIfb(netns: Namespace, owner: Owner): Link | undefined {
  const [shared, own] = ifbNames(netns.host, owner).map((name) => netns.route.query(getLink(name)));
  return own ?? (shared && !isAnothers(shared, owner) ? shared : undefined);
}

function createIfb(netns: Namespace, mtu: number, owner: Owner): Link {
  for (const name of ifbNames(netns.host, owner)) {
    const link = create(netns, name, mtu, owner);
    if (link) return link;
  }
  throw new CniError(
    ErrorCode.Plugin,
    `both names for the IFB of ${owner.ifName} are taken`,
    "They are bwp and twelve hexadecimal digits: delete those of containers that have gone.",
  );
}

/** Undefined if somebody else has the name. What an earlier ADD of this attachment has left is replaced. */
function create(netns: Namespace, name: string, mtu: number, owner: Owner): Link | undefined {
  const { route } = netns;
  const mac = randomMac(netns.host);
  const requests = [createLink(ifb(), { name, mtu, mac, txQueueLength: 0 })];
  const make = () => route.executeThen(requests, getLink(name));
  // By the MAC address, for another link may have the name.
  const remove = () => {
    const link = route.query(getLink(name));
    if (`${link?.mac}` === `${mac}`) route.attempt(deleteLink(link!), errno.ENODEV);
  };
  try {
    return allOrNothing(make, remove);
  } catch (error) {
    if (!isNetlinkErrno(error, errno.EEXIST)) throw error;
    const existing = route.query(getLink(name));
    if (existing && !isOwned(existing, owner)) return undefined;
    if (existing) route.attempt(deleteLink(existing), errno.ENODEV);
    return allOrNothing(make, remove);
  }
}

/**
 * The name that the reference gives, which is one for all interfaces of the container on the network; then one for this
 * interface alone.
 */
function ifbNames(host: Host, { network, containerId, ifName }: Owner): [shared: string, own: string] {
  const name = (text: string) => PREFIX + host.sha512(text, NAME_LENGTH - PREFIX.length);
  return [name(network + containerId), name(`${network}${containerId}/${ifName}`)];
}
