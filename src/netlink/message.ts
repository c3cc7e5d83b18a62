import { Reader, WireError, type Writer } from "./codec.ts";

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
/** Below are control messages. */
const NLMSG_MIN_TYPE = 16;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** sizeof(struct nlmsghdr): u32 length with this header, u16 type, u16 flags, u32 sequence, u32 port. */
const HEADER = 16;

/** One wish to the kernel, as a value: batches are arrays of it, and tests need no socket. */
export interface Request {
  readonly type: number;
  /** NLM_F_*; the socket adds REQUEST, and ACK as `NetlinkSocket.execute` says. */
  readonly flags: number;
  /** The family's header and attributes. */
  readonly body: Uint8Array;
  /** What it does, in words that complete "cannot …": `add address 10.1.2.3/24 to eth0`. */
  readonly what: string;
}

/** A question with any number of answers. `decode` gives undefined for what does not belong to them. */
export interface Dump<T> {
  readonly type: number;
  /**
   * NLM_F_* besides those of the socket: NLM_F_ECHO where the kernel would tell the answer to listeners alone,
   * NLM_F_ACK where it may have none.
   */
  readonly flags?: number | undefined;
  readonly body: Uint8Array;
  readonly what: string;
  /** Bytes, one a character, without which no answer is of interest: it spares decoding the others of a long dump. */
  readonly mention?: string | undefined;
  decode(body: Uint8Array, type: number): T | undefined;
}

/** A question with one answer (RTM_GETLINK by name, RTM_GETROUTE for a destination). */
export type Query<T> = Dump<T>;

/** What the kernel sends: answers, and the control messages about them. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  /** That of the request it answers; 0 in what nobody asked for. */
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** Appends one message. */
export function writeMessage(into: Writer, { type, flags, sequence, body }: Message): void {
  into
    .u32(HEADER + body.length)
    .u16(type)
    .u16(flags)
    .u32(sequence)
    .u32(0)
    .raw(body)
    .pad();
}

/**
 * The messages of one datagram, as views of it; with `controlOnly`, only control messages and those that tell of an
 * interrupted dump. WireError if a length does not fit.
 */
export function readMessages(datagram: Uint8Array, controlOnly = false): Message[] {
  const reader = new Reader(datagram);
  const messages: Message[] = [];
  for (let at = 0; at < datagram.length; ) {
    const length = reader.u32(at);
    if (length < HEADER || at + length > datagram.length)
      throw new WireError(`netlink message of ${length} bytes where ${datagram.length - at} are left`);
    const typeAndFlags = reader.u32(at + 4);
    const type = typeAndFlags & 0xffff;
    const flags = typeAndFlags >>> 16;
    if (!controlOnly || type < NLMSG_MIN_TYPE || flags & NLM_F_DUMP_INTR)
      messages.push({
        type,
        flags,
        sequence: reader.u32(at + 8),
        body: datagram.subarray(at + HEADER, at + length),
      });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** Whether the bytes hold this text, each character a byte. What lies between the hits of one byte is searched natively. */
export function mentions(bytes: Uint8Array, text: string): boolean {
  // Letters and digits are everywhere in names and hashes, other characters are not.
  const anchor = Math.max(0, text.search(/[^a-z0-9]/i));
  const byte = text.charCodeAt(anchor);
  for (let at = bytes.indexOf(byte, anchor); at >= 0; at = bytes.indexOf(byte, at + 1)) {
    let length = 0;
    while (length < text.length && bytes[at - anchor + length] === text.charCodeAt(length)) length++;
    if (length === text.length) return true;
  }
  return false;
}
