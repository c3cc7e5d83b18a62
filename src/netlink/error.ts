import { errnoName, errno as numbers } from "../host/errno.ts";
import { Reader } from "./codec.ts";
import type { Message } from "./message.ts";

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const NLMSG_DONE = 3;

/** What the kernel says about a request (struct nlmsgerr and its attributes, linux/netlink.h). */
export interface Verdict {
  /** Positive; 0 is an acknowledgement. */
  readonly errno: number;
  /** The kernel's own words (NLMSGERR_ATTR_MSG), or "". */
  readonly text: string;
  /** Where in the request's message the refused attribute begins, if the kernel tells. */
  readonly offset?: number;
}

/**
 * A request that the kernel refused or did not answer. The message reads
 * `cannot add address 10.1.2.3/24 to eth0: File exists (EEXIST): ipv4: Address already assigned.`
 */
export class NetlinkError extends Error {
  /** What was wished for: completes "cannot …". */
  readonly what: string;
  readonly errno: number;
  readonly kernelText: string;
  /** Which request of the batch it was, from 0. */
  readonly index: number;
  /** Where in that request's message the refused attribute begins, if the kernel told. */
  readonly offset: number | undefined;

  constructor(what: string, { errno, text, offset }: Verdict, index = 0) {
    super(`cannot ${what}: ${explain(errno)} (${errnoName(errno)})${text && `: ${text}`}`);
    this.name = "NetlinkError";
    this.what = what;
    this.errno = errno;
    this.kernelText = text;
    this.index = index;
    this.offset = offset;
  }
}

export function isNetlinkErrno(error: unknown, ...errnos: number[]): error is NetlinkError {
  return error instanceof NetlinkError && errnos.includes(error.errno);
}

/** Reads an NLMSG_ERROR or NLMSG_DONE message. WireError if it is none. */
export function readVerdict({ type, flags, body }: Message): Verdict {
  const reader = new Reader(body);
  // The end of a dump says nothing in old kernels.
  const errno = type === NLMSG_DONE && body.length < 4 ? 0 : -reader.i32();
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: "" };
  // An error repeats the request's header, and its body too unless it is capped.
  const repeated = type === NLMSG_DONE ? 0 : flags & NLM_F_CAPPED ? 16 : Math.max(16, reader.u32(4));
  const attributes = reader.attributes(4 + ((repeated + 3) & ~3));
  const offset = attributes.get(NLMSGERR_ATTR_OFFS)?.u32();
  return {
    errno,
    text: attributes.get(NLMSGERR_ATTR_MSG)?.text() ?? "",
    ...(offset !== undefined && { offset }),
  };
}

/** The usual words for an error number, or what it means when netlink says it. */
function explain(errno: number): string {
  switch (errno) {
    case numbers.EPERM:
      return "Operation not permitted, needs CAP_NET_ADMIN";
    case numbers.ENOENT:
      return "No such object";
    case numbers.ESRCH:
      return "No such entry";
    case numbers.EACCES:
      return "Permission denied";
    case numbers.EBUSY:
      return "Device or resource busy";
    case numbers.EEXIST:
      return "File exists";
    case numbers.ENODEV:
      return "No such device";
    case numbers.EINVAL:
      return "Invalid argument";
    case numbers.EMSGSIZE:
      return "Message too long";
    case numbers.EOPNOTSUPP:
      return "Not supported by this kernel";
    case numbers.EADDRNOTAVAIL:
      return "Cannot assign requested address";
    case numbers.ENETUNREACH:
      return "Network is unreachable";
    case numbers.EHOSTUNREACH:
      return "No route to host";
    case numbers.ENOBUFS:
      return "No buffer space left, answers were lost";
    case numbers.ETIMEDOUT:
      return "The kernel did not answer in time";
    default:
      return "Refused by the kernel";
  }
}
