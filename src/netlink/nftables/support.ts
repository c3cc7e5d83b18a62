import { errno } from "../../host/errno.ts";
import { isErrno } from "../../host/host.ts";
import { isNetlinkErrno } from "../error.ts";
import type { NetlinkSocket } from "../socket.ts";
import { readGeneration } from "./batch.ts";

/** Where a netfilter socket can be had: the getter opens it. */
export interface NetfilterPlace {
  readonly netfilter: NetlinkSocket;
}

/** Whether this kernel has nftables. */
export function hasNftables(place: NetfilterPlace): boolean {
  try {
    return place.netfilter.query(readGeneration()) !== undefined;
  } catch (error) {
    // No netfilter sockets at all, or nobody behind them who answers for nf_tables (nfnetlink_rcv_msg).
    if (isErrno(error, errno.EPROTONOSUPPORT) || isNetlinkErrno(error, errno.EINVAL, errno.EOPNOTSUPP))
      return false;
    throw error;
  }
}

/** Does the work, unless this kernel has no nftables: then there is nothing to find or to remove. */
export function whereNftables(place: NetfilterPlace, work: (netfilter: NetlinkSocket) => void): void {
  try {
    work(place.netfilter);
  } catch (error) {
    // Asked only now: nearly everywhere the work succeeds.
    if (hasNftables(place)) throw error;
  }
}
