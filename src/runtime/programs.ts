import { errno } from "../host/errno.ts";
import { type Host, isErrno, type RunOptions, type RunResult } from "../host/host.ts";

/**
 * How plugins are run, and how one waits. In the executable both block; in Node neither does, so that
 * containers can be attached in parallel.
 */
export interface Programs {
  /** Runs a program to its end. SysError when it cannot be started; ETIMEDOUT when it took too long and was killed. */
  run(path: string, options: RunOptions): Promise<RunResult>;
  sleep(ms: number): Promise<void>;
}

/** One program at a time; nothing else happens meanwhile. */
export function blockingPrograms(host: Host): Programs {
  return {
    run: async (path, options) => host.run(path, options),
    sleep: async (ms) => host.sleep(ms),
  };
}

/** An executable that is being replaced can be busy for a moment: execve(2), ETXTBSY. */
const BUSY_NAPS_MS = [10, 50, 200, 500, 1000, 1000, 1000, 1000];

/** As `programs.run`, but waits up to five seconds for a file that is still being written. */
export async function runWhenWritten(
  programs: Programs,
  path: string,
  options: RunOptions,
): Promise<RunResult> {
  for (const nap of BUSY_NAPS_MS) {
    try {
      return await programs.run(path, options);
    } catch (error) {
      if (!isErrno(error, errno.ETXTBSY)) throw error;
      await programs.sleep(nap);
    }
  }
  return programs.run(path, options);
}
