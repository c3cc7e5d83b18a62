import { Reader, Writer } from "./codec.ts";
import type { LinkRef } from "./link.ts";
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, type Query, type Request } from "./message.ts";

/**
 * Queueing disciplines, which order, delay and drop the packets of a link.
 * Wire: struct tcmsg, TCA_* (linux/rtnetlink.h), TC_H_* (linux/pkt_sched.h). What belongs to one kind is in tbf.ts.
 */

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;

/** As a parent: the place for what leaves the link. */
export const TC_H_ROOT = 0xffffffff;
/** As a parent: the place for what comes in, which is for filters only. */
export const TC_H_INGRESS = 0xfffffff1;

/** sizeof(struct tcmsg): family and padding, link, handle, parent, info; four bytes each. */
const HEADER = 20;

/** What names a qdisc, and the kind that it must be of. */
export interface QdiscRef {
  /** TC_H_ROOT or TC_H_INGRESS, or the handle of a class. */
  readonly parent: number;
  /** The major number in the upper 16 bits: 0x10000 reads `1:`. */
  readonly handle: number;
  readonly kind: string;
}

export interface NewQdisc extends QdiscRef {
  /** Appends the kind's own attributes (TCA_OPTIONS). */
  readonly write?: (options: Writer) => void;
}

export interface Qdisc extends QdiscRef {
  /** The link's index. */
  readonly link: number;
  /** What the kind tells of itself (TCA_OPTIONS): a struct, or attributes. */
  readonly options: Reader | undefined;
}

/** Takes filters for what comes in. Equivalent to `tc qdisc add dev LINK ingress`. */
export const ingress: NewQdisc = { kind: "ingress", parent: TC_H_INGRESS, handle: 0xffff0000 };

/** Equivalent to `tc qdisc add dev LINK …`; EEXIST if there is one that the kernel has not put there itself. */
export function addQdisc(link: LinkRef, qdisc: NewQdisc): Request {
  const { write } = qdisc;
  const body = encode(link, qdisc);
  if (write) body.nest(TCA_OPTIONS, write);
  return {
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: body.finish(),
    what: `add qdisc ${qdisc.kind} to ${link.name}`,
  };
}

/**
 * Equivalent to `tc qdisc delete dev LINK …`, with its filters. EINVAL if the one in this place has another handle or
 * kind, ENOENT if there is none.
 */
export function removeQdisc(link: LinkRef, qdisc: QdiscRef): Request {
  return {
    type: RTM_DELQDISC,
    flags: 0,
    body: encode(link, qdisc).finish(),
    what: `remove qdisc ${qdisc.kind} from ${link.name}`,
  };
}

/** The qdisc in this place of a link. Of those that the kernel puts there itself, it tells none or refuses to (EINVAL). */
export function getQdisc(link: LinkRef, parent: number): Query<Qdisc> {
  const body = new Writer(HEADER).u32(0).u32(link.index).u32(0).u32(parent).u32(0).finish();
  // Acknowledged, since there may be no answer.
  const flags = NLM_F_ECHO | NLM_F_ACK;
  return { type: RTM_GETQDISC, flags, body, what: `look up the qdisc of ${link.name}`, decode: decodeQdisc };
}

function encode({ index }: LinkRef, { handle, parent, kind }: QdiscRef): Writer {
  return new Writer(128).u32(0).u32(index).u32(handle).u32(parent).u32(0).textAttribute(TCA_KIND, kind);
}

/** Reads RTM_NEWQDISC; undefined for other messages. */
export function decodeQdisc(body: Uint8Array, type: number): Qdisc | undefined {
  if (type !== RTM_NEWQDISC) return undefined;
  const reader = new Reader(body);
  const attributes = reader.attributes(HEADER);
  return {
    link: reader.u32(4),
    handle: reader.u32(8),
    parent: reader.u32(12),
    kind: attributes.get(TCA_KIND)?.text() ?? "",
    options: attributes.get(TCA_OPTIONS),
  };
}
