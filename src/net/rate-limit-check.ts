import { errno } from "../host/errno.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
import { listRedirections } from "../netlink/filter.ts";
import type { LinkRef } from "../netlink/link.ts";
import { getQdisc, TC_H_ROOT } from "../netlink/qdisc.ts";
import { readTbf, type Tbf } from "../netlink/tbf.ts";
import { damaged } from "./damaged.ts";
import type { Namespace } from "./namespace.ts";
import { type RateLimit, tokenBucket } from "./rate-limit.ts";

/** What leaves the link has this limit. Code 100 if not. */
export function verifyRateLimit(netns: Namespace, link: LinkRef, limit: RateLimit): void {
  const present = readLimit(netns, link);
  if (present === undefined) throw damaged(`${link.name} has no rate limit`);
  const wanted = tokenBucket(limit);
  if (present.rate !== wanted.rate)
    throw damaged(`the rate of ${link.name} is ${present.rate * 8} bit/s, not ${wanted.rate * 8}`);
  // The limit has the burst in it, which the kernel does not tell where it went in bytes.
  if (present.limit !== wanted.limit || (wanted.burst === undefined && present.buffer !== wanted.buffer))
    throw damaged(`${link.name} has another burst than ${limit.burst} bit`);
}

function readLimit({ route }: Namespace, link: LinkRef): Tbf | undefined {
  try {
    const qdisc = route.query(getQdisc(link, TC_H_ROOT));
    return qdisc && readTbf(qdisc);
  } catch (error) {
    // The kernel does not show what it has put there itself.
    if (isNetlinkErrno(error, errno.EINVAL)) return undefined;
    throw error;
  }
}

/** All that comes in by a link goes to the IFB. Code 100 if not. */
export function verifyRedirection({ route }: Namespace, link: LinkRef, ifb: LinkRef): void {
  if (!route.dump(listRedirections(link)).some(({ to }) => to === ifb.index))
    throw damaged(`what comes in by ${link.name} is not redirected to ${ifb.name}`);
}
