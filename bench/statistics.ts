/** What became of one series of samples. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** The middle value; the mean of the two middle ones when there is an even number. RangeError for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("no samples");
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[upper]! : (sorted[upper - 1]! + sorted[upper]!) / 2;
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length };
}

/**
 * The median of `over[i] / under[i]`. Samples of one pair were taken one after the other, so that what
 * slowed the machine for a while slowed both. RangeError if the series differ in length.
 */
export function ratioByPairs(over: readonly number[], under: readonly number[]): number {
  if (over.length !== under.length) throw new RangeError(`${over.length} samples against ${under.length}`);
  return median(over.map((value, index) => value / under[index]!));
}
