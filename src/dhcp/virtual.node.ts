import type { Scheduler, Timer, Watch } from "./loop.ts";
import { Timers } from "./timers.ts";

/** A scheduler for tests, whose time passes when it is told to. */
export class VirtualScheduler implements Scheduler {
  /** Far from 0: as on a machine that has been running for a while. */
  #now = 1_000_000;
  readonly #timers = new Timers();
  readonly #watched = new Map<number, () => void>();

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): Timer {
    return this.#timers.add(this.#now + Math.max(0, ms), callback);
  }

  watch(fd: number, callback: () => void): Watch {
    this.#watched.set(fd, callback);
    return { stop: () => this.#watched.delete(fd) };
  }

  /** Lets time pass. Timers are called when their time comes, those that are set meanwhile included. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#timers.next; next !== undefined && next <= end; next = this.#timers.next) {
      this.#now = Math.max(this.#now, next);
      this.#timers.takeDue(this.#now)?.();
    }
    this.#now = end;
  }

  /** There is something to read from `fd`. */
  ready(fd: number): void {
    this.#watched.get(fd)?.();
  }

  /** Nothing is waited for: all that was begun has been ended. */
  get idle(): boolean {
    return this.#timers.next === undefined && this.#watched.size === 0;
  }
}
