import type { Host } from "../../host/host.ts";

/** How often a message is sent until it is answered (RFC 8415, sections 7.6 and 15). In milliseconds. */
export interface Pattern {
  /** IRT: the first pause. */
  readonly initial: number;
  /** MRT: no pause is longer, but for the randomness. */
  readonly longest: number;
  /** MRC: after how many transmissions it is given up; undefined: never. */
  readonly count?: number | undefined;
}

export const SOLICIT: Pattern = { initial: 1000, longest: 3_600_000 };
export const REQUEST: Pattern = { initial: 1000, longest: 30_000, count: 10 };
/** Renew and Rebind. */
export const EXTEND: Pattern = { initial: 10_000, longest: 600_000 };
export const DECLINE: Pattern = { initial: 1000, longest: Number.POSITIVE_INFINITY, count: 4 };
export const INFORMATION_REQUEST: Pattern = { initial: 1000, longest: 3_600_000 };

/** INF_MAX_DELAY: clients that begin together do not ask together. */
export const MAX_DELAY_MS = 1000;

/** How patterns are narrowed by an operator, who wishes no pause to be longer. */
export function within(pattern: Pattern, longest: number): Pattern {
  return {
    ...pattern,
    initial: Math.min(pattern.initial, longest),
    longest: Math.min(pattern.longest, longest),
  };
}

/**
 * The pause after a transmission. `previous` is the one before, undefined after the first; `random` is within 0 and 1,
 * below 1. Randomness is 10 % both ways, and in the first pause upward only, as section 18.2.1 demands for Solicit.
 */
export function pause({ initial, longest }: Pattern, previous: number | undefined, random: number): number {
  if (previous === undefined) return initial * (1.1 - random / 10);
  const jitter = (random - 0.5) / 5;
  const next = previous * (2 + jitter);
  return next > longest ? longest * (1 + jitter) : next;
}

/** Evenly between 0 and 1, below 1. Math.random gives the same in every run of the executable. */
export function fraction(host: Host): number {
  const bytes = host.random(4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
}
