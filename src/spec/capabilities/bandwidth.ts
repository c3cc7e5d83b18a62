import { integer, object, optional, type Schema } from "../schema.ts";

/** Rates in bits per second, bursts in bits. 0 is none; a burst of 4294967295 is unlimited. */
export interface Bandwidth {
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}

/** The capability `bandwidth`. */
export function bandwidth(): Schema<Bandwidth> {
  const bits = optional(integer(0), 0);
  return object({ ingressRate: bits, ingressBurst: bits, egressRate: bits, egressBurst: bits });
}
