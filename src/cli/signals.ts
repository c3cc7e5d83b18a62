import { errno } from "../host/errno.ts";
import { check, type Host, SysError } from "../host/host.ts";

/** Signal numbers of Linux on all machines that we build for (asm-generic/signal.h). */
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGUSR1 = 10;
export const SIGUSR2 = 12;
export const SIGTERM = 15;
export const SIGCHLD = 17;

/** Signals that are for the command, and end us after it. */
const FORWARDED = [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM];
/** Of these, those that a command which has not begun yet would have died of. */
const FATAL = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/** struct signalfd_siginfo (linux/signalfd.h): u32 number at 0, s32 code at 8. */
const SIGINFO_SIZE = 128;
const LONG_MS = 60_000;

/** Signals that are held back and read one by one, so that none can end us before we have cleaned up. */
export class Signals {
  readonly #host: Host;
  readonly #fd: number;

  constructor(host: Host) {
    const mask = [...FORWARDED, SIGCHLD].reduce((bits, number) => bits | (1 << (number - 1)), 0);
    this.#host = host;
    this.#fd = check("signalfd", host.sys.signalfd(mask));
  }

  /** The signal that has come meanwhile and would have ended a process; undefined if none has. */
  fatal(): number | undefined {
    for (let signal = this.#next(0); signal !== undefined; signal = this.#next(0))
      if (FATAL.includes(signal.number)) return signal.number;
    return undefined;
  }

  /**
   * Waits for a child to end, passing signals on to it. Gives its exit code, or 128 and the signal that ended it,
   * as shells do.
   */
  await(pid: number): number {
    for (;;) {
      const status = this.#host.sys.wait(pid, 0);
      if (status >= 0) return exitCodeOf(status);
      if (status !== -errno.ETIMEDOUT) throw new SysError("wait", -status, `process ${pid}`);
      const signal = this.#next(LONG_MS);
      // What the terminal sends has reached the child already, which is in our process group.
      if (signal?.byProcess && FORWARDED.includes(signal.number)) this.#host.sys.kill(pid, signal.number);
    }
  }

  #next(timeoutMs: number): { number: number; byProcess: boolean } | undefined {
    const info = new Uint8Array(SIGINFO_SIZE);
    const length = this.#host.sys.read(this.#fd, info, timeoutMs);
    if (length === -errno.ETIMEDOUT) return undefined;
    check("read", length, "signalfd");
    const view = new DataView(info.buffer);
    // SI_USER is 0, SI_QUEUE and SI_TKILL are below; the kernel's own are above.
    return { number: view.getUint32(0, true), byProcess: view.getInt32(8, true) <= 0 };
  }
}

/** The exit code of a shell for a wait status (wait(2)). */
export function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
