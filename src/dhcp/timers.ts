import type { Timer } from "./loop.ts";

/** What is to be called at a time. It holds its callback no longer than it must: that may hold much. */
class Waiting implements Timer {
  readonly at: number;
  callback: (() => void) | undefined;
  readonly #timers: Timers;

  constructor(timers: Timers, at: number, callback: () => void) {
    this.#timers = timers;
    this.at = at;
    this.callback = callback;
  }

  cancel(): void {
    if (this.callback === undefined) return;
    this.callback = undefined;
    this.#timers.remove(this);
  }
}

/** Callbacks in the order of their times; of those with the same time, the older comes first. */
export class Timers {
  /** The latest first. */
  readonly #waiting: Waiting[] = [];

  /** The time of the first; undefined if nothing waits. */
  get next(): number | undefined {
    return this.#waiting.at(-1)?.at;
  }

  add(at: number, callback: () => void): Timer {
    const timer = new Waiting(this, at, callback);
    this.#waiting.splice(this.#position(at), 0, timer);
    return timer;
  }

  /** Takes the first out whose time is `now` or was before. */
  takeDue(now: number): (() => void) | undefined {
    const first = this.#waiting.at(-1);
    if (first === undefined || first.at > now) return undefined;
    this.#waiting.pop();
    const { callback } = first;
    first.callback = undefined;
    return callback;
  }

  /** By a timer that is cancelled. */
  remove(timer: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(timer, this.#position(timer.at)), 1);
  }

  /** Before the first that is not later. */
  #position(at: number): number {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#waiting[middle]!.at > at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
