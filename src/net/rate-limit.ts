import { errno } from "../host/errno.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
import type { LinkRef } from "../netlink/link.ts";
import { addQdisc, ingress, type NewQdisc, type QdiscRef, removeQdisc } from "../netlink/qdisc.ts";
import { TBF, type Tbf, TICKS_PER_US, tbf } from "../netlink/tbf.ts";
import { allOrNothing } from "./all-or-nothing.ts";
import type { Namespace } from "./namespace.ts";

/** How long a packet may wait in the queue, once the burst is spent. */
const LATENCY_US = 25_000;
const U32_MAX = 0xffffffff;

/** What may leave a link. */
export interface RateLimit {
  /** Bits per second in the long run, 8 at least. */
  readonly rate: number;
  /** Bits at once after a pause, 8 at least, less than 8 * 2^32. */
  readonly burst: number;
}

/** Limits what leaves a link. EEXIST if it has a queueing discipline that somebody has chosen. */
export function limitRate(netns: Namespace, link: LinkRef, limit: RateLimit): { remove(): void } {
  return placeQdisc(netns, link, tbf(tokenBucket(limit)));
}

/** Adds a qdisc that `remove` removes. EEXIST if somebody has put one into this place, which stays. */
export function placeQdisc(netns: Namespace, link: LinkRef, qdisc: NewQdisc): { remove(): void } {
  let taken = false;
  const remove = () => {
    if (!taken) removeIfThere(netns, link, qdisc);
  };
  allOrNothing(() => {
    try {
      netns.route.execute([addQdisc(link, qdisc)]);
    } catch (error) {
      taken = isNetlinkErrno(error, errno.EEXIST);
      throw error;
    }
  }, remove);
  return { remove };
}

/** Removes the limits of both directions from a link. */
export function removeRateLimits(netns: Namespace, link: LinkRef): void {
  for (const qdisc of [TBF, ingress]) removeIfThere(netns, link, qdisc);
}

/** Another qdisc in the same place stays. */
function removeIfThere({ route }: Namespace, link: LinkRef, qdisc: QdiscRef): void {
  route.attempt(removeQdisc(link, qdisc), errno.ENODEV, errno.ENOENT, errno.EINVAL);
}

/**
 * The kernel's terms for a limit, with the roundings of the reference. A burst that takes less than a microsecond or
 * more than 274 s goes in bytes, for ticks have no number for it.
 */
export function tokenBucket({ rate, burst }: RateLimit): Tbf {
  const bytesPerSecond = Math.floor(rate / 8);
  const bytes = Math.floor(burst / 8);
  const queued = Math.floor((bytesPerSecond * LATENCY_US) / 1e6);
  const buffer = Math.floor(Math.floor((bytes * 1e6) / bytesPerSecond) * TICKS_PER_US);
  const fits = buffer >= 1 && buffer <= U32_MAX;
  return {
    rate: bytesPerSecond,
    limit: Math.min(queued + bytes, U32_MAX),
    buffer: fits ? buffer : 0,
    burst: fits ? undefined : bytes,
  };
}
