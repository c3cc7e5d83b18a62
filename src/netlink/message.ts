/** struct nlmsghdr and the control messages (linux/netlink.h). */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_ECHO = 0x8;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** One wish to the kernel, as a value: batches are arrays of it, and tests need no socket. */
export interface Request {
  readonly type: number;
  /** NLM_F_* besides REQUEST and ACK, which the socket adds. */
  readonly flags: number;
  /** The family's header and attributes. */
  readonly body: Uint8Array;
  /** What it does, in words that complete "cannot …": `add address 10.1.2.3/24 to eth0`. */
  readonly what: string;
}

/** A question with any number of answers. `decode` gives undefined for what does not belong to them. */
export interface Dump<T> {
  readonly type: number;
  readonly body: Uint8Array;
  readonly what: string;
  decode(body: Uint8Array, type: number): T | undefined;
}

/** A question with one answer (RTM_GETLINK by name, RTM_GETROUTE for a destination). */
export type Query<T> = Dump<T>;
