import { errno } from "./errno.ts";
import { check, type Host } from "./host.ts";

/** Signal numbers of Linux on all machines that we build for (asm-generic/signal.h). */
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGUSR1 = 10;
export const SIGUSR2 = 12;
export const SIGTERM = 15;
export const SIGCHLD = 17;

/** struct signalfd_siginfo (linux/signalfd.h): u32 number at 0, s32 code at 8. */
const SIGINFO_SIZE = 128;

export interface Signal {
  readonly number: number;
  /** A process sent it, not the kernel. */
  readonly byProcess: boolean;
}

/** Holds these signals back from now on, and gives a descriptor to read them from. */
export function holdSignals({ sys }: Host, ...numbers: number[]): number {
  const mask = numbers.reduce((bits, number) => bits | (1 << (number - 1)), 0);
  return check("signalfd", sys.signalfd(mask));
}

/** The next signal that was held back; undefined if none comes in time. */
export function readSignal({ sys }: Host, fd: number, timeoutMs: number): Signal | undefined {
  const info = new Uint8Array(SIGINFO_SIZE);
  const length = sys.read(fd, info, timeoutMs);
  if (length === -errno.ETIMEDOUT) return undefined;
  check("read", length, "signalfd");
  const view = new DataView(info.buffer);
  // SI_USER is 0, SI_QUEUE and SI_TKILL are below; the kernel's own are above.
  return { number: view.getUint32(0, true), byProcess: view.getInt32(8, true) <= 0 };
}
