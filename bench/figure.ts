import type { Missing, Samples } from "./harness.ts";
import { ratioByPairs, type Summary, summarize } from "./statistics.ts";

/** Who was measured: plumb, the plugins it is compared with, and the same kernel operations from bare C. */
export type Side = "ours" | "reference" | "floor";

/** What was promised of a figure, and what came of it. */
export interface Target {
  readonly promise: string;
  readonly value: number;
  readonly met: boolean;
}

/** The answer to one question. */
export interface Figure {
  readonly name: string;
  readonly unit: "ms" | "MB";
  readonly sides: Partial<Record<Side, Summary>>;
  /** The reference's value over ours, and ours over the floor's: medians of the pairs. */
  readonly timesFaster?: number;
  readonly overFloor?: number;
  readonly targets: readonly Target[];
  readonly missing: Missing;
}

export interface Promises {
  /** How many times less than the reference's our value shall be. */
  readonly faster?: number;
  /** What our value shall not exceed, in the figure's unit. */
  readonly atMost?: number;
}

export function figureOf(
  name: string,
  unit: "ms" | "MB",
  samples: Samples<Side>,
  promises: Promises = {},
  missing: Missing = {},
): Figure {
  const sides: Partial<Record<Side, Summary>> = {};
  for (const [side, values] of samples) sides[side] = summarize(values);
  const [ours, reference, floor] = [samples.get("ours"), samples.get("reference"), samples.get("floor")];
  const timesFaster = ours && reference && ratioByPairs(reference, ours);
  const targets: Target[] = [];
  if (promises.faster !== undefined && timesFaster !== undefined)
    targets.push(atLeast(`≥${promises.faster}× the reference`, timesFaster, promises.faster));
  if (promises.atMost !== undefined && sides.ours)
    targets.push(atMost(`≤${promises.atMost} ${unit}`, sides.ours.median, promises.atMost));
  return {
    name,
    unit,
    sides,
    ...(timesFaster !== undefined && { timesFaster }),
    ...(ours && floor && { overFloor: ratioByPairs(ours, floor) }),
    targets,
    missing,
  };
}

export function atLeast(promise: string, value: number, limit: number): Target {
  return { promise, value, met: value >= limit };
}

export function atMost(promise: string, value: number, limit: number): Target {
  return { promise, value, met: value <= limit };
}
