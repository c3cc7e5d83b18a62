import { errno } from "../host/errno.ts";
import { type Host, SysError } from "../host/host.ts";
import {
  holdSignals,
  readSignal,
  SIGCHLD,
  SIGHUP,
  SIGINT,
  SIGQUIT,
  SIGTERM,
  SIGUSR1,
  SIGUSR2,
} from "../host/signals.ts";
import { blockingPrograms, type Programs } from "../runtime/programs.ts";

/** Signals that are for the command, and end us after it. */
const FORWARDED = [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM];
/** Of these, those that a command which has not begun yet would have died of. */
const FATAL = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

const LONG_MS = 60_000;

/** Signals that are held back and read one by one, so that none can end us before we have cleaned up. */
export class Signals {
  readonly #host: Host;
  readonly #fd: number;
  /** Readable while a fatal signal waits. */
  #interrupt: number;

  constructor(host: Host) {
    this.#host = host;
    this.#fd = holdSignals(host, ...FORWARDED, SIGCHLD);
    this.#interrupt = holdSignals(host, ...FATAL);
  }

  /** Runs programs, such as a plugin that waits for a DHCP server; a fatal signal ends them, as long as it may. */
  programs(): Programs {
    const run: Programs["run"] = async (path, options) =>
      this.#host.run(path, { ...options, interrupt: this.#interrupt });
    return { ...blockingPrograms(this.#host), run };
  }

  /** From now on programs run to their end, whatever comes. */
  ignore(): void {
    this.#interrupt = -1;
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

  #next(timeoutMs: number) {
    return readSignal(this.#host, this.#fd, timeoutMs);
  }
}

/** The exit code of a shell for a wait status (wait(2)). */
export function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
