import { type NewQdisc, type Qdisc, type QdiscRef, TC_H_ROOT } from "./qdisc.ts";

/**
 * Token Bucket Filter: lets packets go at a rate, and queues the others.
 * Wire: struct tc_tbf_qopt, TCA_TBF_* (linux/pkt_sched.h), net/sched/sch_tbf.c.
 */

const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
/** sizeof(struct tc_ratespec); its last four bytes are the rate. */
const RATESPEC = 12;
const U32_MAX = 0xffffffff;

/** How many of the kernel's ticks a microsecond has: a tick is 64 ns (PSCHED_SHIFT; /proc/net/psched tells it). */
export const TICKS_PER_US = 1000 / 64;

/** What a link has instead of the kernel's own choice, named as the reference does it. */
export const TBF: QdiscRef = { kind: "tbf", parent: TC_H_ROOT, handle: 0x10000 };

export interface Tbf {
  /** Bytes per second. */
  readonly rate: number;
  /** The bytes that may wait, those of a burst included. */
  readonly limit: number;
  /** The size of the bucket, as the ticks in which it fills. */
  readonly buffer: number;
  /** The size of the bucket in bytes, for what ticks cannot tell: it replaces them. */
  readonly burst?: number | undefined;
}

/** Equivalent to `tc qdisc add dev LINK root handle 1: tbf rate … burst … limit …`. */
export function tbf({ rate, limit, buffer, burst }: Tbf): NewQdisc {
  return {
    ...TBF,
    write(options) {
      options.nest(TCA_TBF_PARMS, (parms) =>
        parms
          .zeros(RATESPEC - 4)
          .u32(Math.min(rate, U32_MAX))
          .zeros(RATESPEC)
          .u32(limit)
          .u32(buffer)
          .u32(0),
      );
      if (rate > U32_MAX) options.u64Attribute(TCA_TBF_RATE64, rate);
      if (burst !== undefined) options.u32Attribute(TCA_TBF_BURST, burst);
    },
  };
}

/** Undefined if the qdisc is no TBF. The kernel tells the bucket's size in ticks alone, modulo 2^32. */
export function readTbf({ kind, options }: Qdisc): Tbf | undefined {
  const attributes = kind === "tbf" ? options?.attributes() : undefined;
  const parms = attributes?.get(TCA_TBF_PARMS);
  if (!parms) return undefined;
  return {
    rate: attributes?.get(TCA_TBF_RATE64)?.u64() ?? parms.u32(RATESPEC - 4),
    limit: parms.u32(2 * RATESPEC),
    buffer: parms.u32(2 * RATESPEC + 4),
  };
}
