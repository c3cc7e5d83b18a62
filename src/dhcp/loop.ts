import { CLOCK_BOOTTIME, check, type Host } from "../host/host.ts";
import { Timers } from "./timers.ts";

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

class Watched implements Watch {
  readonly fd: number;
  callback: (() => void) | undefined;
  readonly #loop: Loop;

  constructor(loop: Loop, fd: number, callback: () => void) {
    this.#loop = loop;
    this.fd = fd;
    this.callback = callback;
  }

  stop(): void {
    if (this.callback === undefined) return;
    this.callback = undefined;
    this.#loop.forget(this);
  }
}

/** struct pollfd (poll.h): s32 fd, s16 events, s16 revents. */
const POLLFD_SIZE = 8;
const POLLIN = 1;
/** poll(2) sleeps with the machine, and CLOCK_BOOTTIME does not: so it is looked at from time to time. */
const LONGEST_WAIT_MS = 30_000;
/** For how long timers are called before it is looked again who can be read. */
const TURN_MS = 10;

/** The loop of a daemon: one poll(2) for all descriptors, until the next timer. */
export class Loop implements Scheduler {
  readonly #host: Host;
  readonly #failed: (error: unknown) => void;
  readonly #timers = new Timers();
  #watched: Watched[] = [];
  /** An array of struct pollfd for those that are watched; undefined when it must be made anew. */
  #pollfds: DataView | undefined;
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
    return this.#timers.add(this.now() + Math.max(0, ms), callback);
  }

  watch(fd: number, callback: () => void): Watch {
    const watched = new Watched(this, fd, callback);
    this.#watched.push(watched);
    this.#pollfds = undefined;
    return watched;
  }

  /** By a watch that is stopped. */
  forget(watched: Watched): void {
    // The list that is being gone through stays as it is.
    this.#watched = this.#watched.filter((other) => other !== watched);
    this.#pollfds = undefined;
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
    const next = this.#timers.next;
    const wait = next === undefined ? LONGEST_WAIT_MS : Math.min(LONGEST_WAIT_MS, next - this.now());
    this.#pollfds ??= pollfdsOf(this.#watched);
    const [watched, pollfds] = [this.#watched, this.#pollfds];
    const ready = this.#host.sys.poll(new Uint8Array(pollfds.buffer), Math.max(0, Math.ceil(wait)));
    let left = check("poll", ready);
    for (let index = 0; left > 0 && index < watched.length; index++) {
      if (pollfds.getInt16(index * POLLFD_SIZE + 6, true) === 0) continue;
      left--;
      this.#call(watched[index]!.callback);
    }
  }

  /** Not all at once if many are due, such as after a restart: who waits for an answer meanwhile reads it. */
  #callTimers(): void {
    const now = this.now();
    const enough = now + TURN_MS;
    for (let call = this.#timers.takeDue(now); call !== undefined; ) {
      this.#call(call);
      call = this.now() < enough ? this.#timers.takeDue(now) : undefined;
    }
  }

  #call(callback: (() => void) | undefined): void {
    try {
      callback?.();
    } catch (error) {
      this.#failed(error);
    }
  }
}

function pollfdsOf(watched: readonly Watched[]): DataView {
  const pollfds = new DataView(new ArrayBuffer(watched.length * POLLFD_SIZE));
  for (const [index, { fd }] of watched.entries()) {
    pollfds.setInt32(index * POLLFD_SIZE, fd, true);
    pollfds.setInt16(index * POLLFD_SIZE + 4, POLLIN, true);
  }
  return pollfds;
}
