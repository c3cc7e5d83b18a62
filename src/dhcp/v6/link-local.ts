import type { Ip } from "../../address/ip.ts";
import { errno } from "../../host/errno.ts";
import { isErrno } from "../../host/host.ts";
import { IFA_F_DADFAILED, IFA_F_TENTATIVE, listAddresses } from "../../netlink/address.ts";
import type { Reached } from "../container-interface.ts";

const RT_SCOPE_LINK = 253;
/** What a link cannot do at the moment: it is down or has gone, or its queue is full, or its address has gone. */
const PASSING = [
  errno.ENETDOWN,
  errno.ENETUNREACH,
  errno.EADDRNOTAVAIL,
  errno.ENODEV,
  errno.ENXIO,
  errno.ENOBUFS,
  errno.ETIMEDOUT,
];

/** Whether a link that refused may do it a moment later: it is just coming up, or has lost its carrier. */
export function isPassing(error: unknown): boolean {
  return isErrno(error, ...PASSING);
}

/**
 * The interface's link-local address; undefined while it has none that can be used. It comes a moment after the
 * carrier.
 */
export function linkLocalAddress({ netns, link }: Reached): Ip | undefined {
  const addresses = netns.route.dump(listAddresses({ link: link.index, family: 6 }));
  return addresses.find(
    ({ scope, flags }) => scope === RT_SCOPE_LINK && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0,
  )?.cidr.ip;
}
