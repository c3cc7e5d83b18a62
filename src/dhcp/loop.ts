import { errno } from "../host/errno.ts";
import { CLOCK_BOOTTIME, check, type Host } from "../host/host.ts";

/** What waits on behalf of others: for a time, or for bytes. Callbacks are never called before the call returns. */
export interface Scheduler {
  /** Milliseconds since the machine was started, the time that it slept included: leases go on running then. */
  now(): number;
  /** Calls back once, after `ms`; at the next turn of the loop if that is not positive. */
  after(ms: number, callback: () => void): Timer;
  /** Calls back whenever `fd` can be read, or has been hung up. The caller closes it, after `stop`. */
  watch(fd: number, callback: () => void): Watch;
}

export interface Timer {
  /** What was cancelled, or has been called, may be cancelled again. */
  cancel(): void;
}

export interface Watch {
  stop(): void;
}

interface Waiting extends Timer {
  readonly at: number;
  callback: (() => void) | undefined;
}

interface Watched extends Watch {
  readonly fd: number;
  callback: (() => void) | undefined;
}

/** struct pollfd (poll.h): s32 fd, s16 events, s16 revents. */
const POLLFD_SIZE = 8;
const POLLIN = 1;
/** poll(2) sleeps with the machine, and CLOCK_BOOTTIME does not: so it is looked at from time to time. */
const LONGEST_WAIT_MS = 30_000;

/** The loop of a daemon: one poll(2) for all descriptors, until the next timer. */
export class Loop implements Scheduler {
  readonly #host: Host;
  readonly #failed: (error: unknown) => void;
  /** By time, the latest first. */
  readonly #timers: Waiting[] = [];
  #watched: Watched[] = [];
  #running = false;

  /** `failed` is told what callbacks throw; the loop goes on. */
  constructor(host: Host, failed: (error: unknown) => void) {
    this.#host = host;
    this.#failed = failed;
  }

  now(): number {
    return Math.floor(this.#host.clock(CLOCK_BOOTTIME) / 1e6);
  }

  after(ms: number, callback: () => void): Timer {
    const timers = this.#timers;
    const timer: Waiting = { at: this.now() + Math.max(0, ms), callback, cancel: () => this.#cancel(timer) };
    // Of those with the same time, the older is called first.
    timers.splice(this.#position(timer.at), 0, timer);
    return timer;
  }

  watch(fd: number, callback: () => void): Watch {
    const watched: Watched = { fd, callback, stop: () => this.#forget(watched) };
    this.#watched.push(watched);
    return watched;
  }

  /** Until `stop` is called. */
  run(): void {
    this.#running = true;
    while (this.#running) {
      this.#poll();
      this.#callTimers();
    }
  }

  stop(): void {
    this.#running = false;
  }

  #poll(): void {
    const next = this.#timers.at(-1);
    const wait = next === undefined ? LONGEST_WAIT_MS : Math.min(LONGEST_WAIT_MS, next.at - this.now());
    const watched = this.#watched;
    const fds = new DataView(new ArrayBuffer(watched.length * POLLFD_SIZE));
    for (const [index, { fd }] of watched.entries()) {
      fds.setInt32(index * POLLFD_SIZE, fd, true);
      fds.setInt16(index * POLLFD_SIZE + 4, POLLIN, true);
    }
    const ready = this.#host.sys.poll(new Uint8Array(fds.buffer), Math.max(0, Math.ceil(wait)));
    if (ready === -errno.EINTR || check("poll", ready) === 0) return;
    for (const [index, one] of watched.entries())
      if (fds.getInt16(index * POLLFD_SIZE + 6, true) !== 0) this.#call(one.callback);
  }

  #callTimers(): void {
    const now = this.now();
    for (let next = this.#timers.at(-1); next !== undefined && next.at <= now; next = this.#timers.at(-1)) {
      this.#timers.pop();
      const { callback } = next;
      next.callback = undefined;
      this.#call(callback);
    }
  }

  #call(callback: (() => void) | undefined): void {
    try {
      callback?.();
    } catch (error) {
      this.#failed(error);
    }
  }

  #cancel(timer: Waiting): void {
    if (timer.callback === undefined) return;
    // What it holds is freed now, not when its time has come.
    timer.callback = undefined;
    this.#timers.splice(this.#timers.indexOf(timer, this.#position(timer.at)), 1);
  }

  /** Where a timer for this time belongs: before the first that is not later. */
  #position(at: number): number {
    let [low, high] = [0, this.#timers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#timers[middle]!.at > at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #forget(watched: Watched): void {
    watched.callback = undefined;
    // The list that is being gone through stays as it is.
    this.#watched = this.#watched.filter((other) => other !== watched);
  }
}
