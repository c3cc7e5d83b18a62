import { CLOCK_MONOTONIC, type Host } from "../src/host/host.ts";

/** Somebody who can do a step, and is timed. */
export interface Contestant<Name extends string> {
  readonly name: Name;
  readonly step: (round: number) => void;
  /** Done after each step, off the clock. */
  readonly after?: (round: number) => void;
}

/** Samples by name: the i-th of each was taken in the i-th round. */
export type Samples<Name extends string> = Map<Name, number[]>;

/** Why somebody was not measured, by name. */
export type Missing = Readonly<Record<string, string>>;

/** Milliseconds that `work` takes. */
export function timed(host: Host, work: () => void): number {
  const start = host.clock(CLOCK_MONOTONIC);
  work();
  return (host.clock(CLOCK_MONOTONIC) - start) / 1e6;
}

/**
 * The contestants' turns: A B C, C B A, A B C … Each so follows every neighbour equally often, and what one leaves to the
 * kernel to be cleaned up does not always fall to the same other.
 */
export function* turns<C>(contestants: readonly C[], rounds: Iterable<number>): Generator<[C, number]> {
  let forward = true;
  for (const round of rounds) {
    for (const contestant of forward ? contestants : contestants.toReversed()) yield [contestant, round];
    forward = !forward;
  }
}

/** Times the contestants in turn, in milliseconds. */
export function alternate<Name extends string>(
  host: Host,
  contestants: readonly Contestant<Name>[],
  rounds: Iterable<number>,
): Samples<Name> {
  const samples: Samples<Name> = new Map(contestants.map(({ name }) => [name, []]));
  for (const [{ name, step, after }, round] of turns(contestants, rounds)) {
    samples.get(name)!.push(timed(host, () => step(round)));
    after?.(round);
  }
  return samples;
}

/**
 * Lets each do a step once, off the clock: what is read from disk is in memory then, and what only the first of a
 * network pays for is paid. Who fails takes no part; the reason is told.
 */
export function rehearse<C extends Contestant<string>>(
  contestants: readonly C[],
): { able: C[]; missing: Missing } {
  const missing: Record<string, string> = {};
  const able = contestants.filter((contestant) => {
    try {
      contestant.step(0);
      contestant.after?.(0);
      return true;
    } catch (error) {
      missing[contestant.name] = (error as Error).message;
      return false;
    }
  });
  return { able, missing };
}

/** Adds the samples of `more` to those of `samples`. */
export function extend<Name extends string>(samples: Samples<Name>, more: Samples<Name>): void {
  for (const [name, values] of more) samples.set(name, [...(samples.get(name) ?? []), ...values]);
}
