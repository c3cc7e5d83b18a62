import { errno, errnoName } from "../host/errno.ts";
import type { Host } from "../host/host.ts";
import type { Attachments } from "./attachments.ts";
import { Connection, type Office } from "./connection.ts";
import type { Log } from "./log.ts";
import type { Scheduler, Watch } from "./loop.ts";

/** Of the daemon itself, and for leases that are renewed. */
const RESERVED_DESCRIPTORS = 64;
/** A connection, and the sockets of the sources that work for it. */
const DESCRIPTORS_PER_CONNECTION = 6;
const PAUSE_MS = 1_000;

/** Accepts connections, as long as there is room for them: the others wait in the kernel's queue. */
export class Server implements Office {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly attachments: Attachments;
  readonly #log: Log;
  readonly #fd: number;
  readonly #room: number;
  #open = 0;
  #watch: Watch | undefined;
  #complained = false;

  /** `fd` listens; `descriptors` is how many the process may have. */
  constructor(
    work: { readonly host: Host; readonly scheduler: Scheduler; readonly log: Log },
    attachments: Attachments,
    fd: number,
    descriptors: number,
  ) {
    this.host = work.host;
    this.scheduler = work.scheduler;
    this.#log = work.log;
    this.attachments = attachments;
    this.#fd = fd;
    this.#room = Math.max(1, Math.floor((descriptors - RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION));
    this.#resume();
  }

  left(): void {
    this.#open--;
    this.#resume();
  }

  /** Nobody is let in any more. */
  stop(): void {
    this.#watch?.stop();
    this.#watch = undefined;
  }

  #resume(): void {
    this.#watch ??= this.scheduler.watch(this.#fd, () => this.#accept());
  }

  #accept(): void {
    while (this.#open < this.#room) {
      const fd = this.host.sys.accept(this.#fd, 0);
      if (fd < 0) {
        this.#refused(-fd);
        return;
      }
      this.#open++;
      new Connection(this, fd);
    }
    this.stop();
    this.#complain(`${this.#open} requests are worked on: more must wait (raise the limit of open files)`);
  }

  #refused(number: number): void {
    // Nobody else is there.
    if (number === errno.ETIMEDOUT) return;
    this.stop();
    this.#complain(`requests must wait: accept: ${errnoName(number)}`);
    this.scheduler.after(PAUSE_MS, () => this.#resume());
  }

  #complain(text: string): void {
    if (!this.#complained) this.#log(text);
    this.#complained = true;
  }
}
