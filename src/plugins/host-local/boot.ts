import { CLOCK_BOOTTIME, CLOCK_REALTIME, type FileStatus, type Host } from "../../host/host.ts";

/** Clocks that are set before and after, and file systems that round: less than a reboot takes. */
const MARGIN_NS = 1e9;

/** Since when the system runs, and how to tell what is older. Everything is asked for when first needed. */
export class Boot {
  readonly #host: Host;
  #id: string | undefined;
  #startedNs: number | undefined;
  #devicesNs: number | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Six hexadecimal digits that another boot does not have. */
  get id(): string {
    this.#id ??= (this.#host.readFileIfAny("/proc/sys/kernel/random/boot_id") ?? "unknown").slice(0, 6);
    return this.#id;
  }

  /** When the system started, by the clock as it is set now; in nanoseconds since the epoch. */
  get startedNs(): number {
    this.#startedNs ??= this.#host.clock(CLOCK_REALTIME) - this.#host.clock(CLOCK_BOOTTIME);
    return this.#startedNs;
  }

  /** Whether a file may be older than this boot: cheap, and wrong when the clock was set forward. */
  maybeOlder(status: FileStatus): boolean {
    return status.mtimeNs < this.startedNs - MARGIN_NS;
  }

  /**
   * Whether a file is older than this boot, for certain.
   *
   * A clock that was set forward since (by NTP, or when a paused virtual machine goes on) makes files of this boot
   * look older than it. What was there at the start tells: the kernel made the device files by the clock of then.
   * Only what is older than those too is of another boot, or what was put here in this boot with an older date.
   */
  isOlder(status: FileStatus): boolean {
    if (!this.maybeOlder(status)) return false;
    this.#devicesNs ??= (this.#host.statIfAny("/dev/null")?.mtimeNs ?? this.startedNs) - MARGIN_NS;
    return status.mtimeNs < this.#devicesNs || status.ctimeNs >= this.startedNs;
  }
}
