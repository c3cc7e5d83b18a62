import type { Host } from "../host/host.ts";
import type { JsonObject } from "../spec/json.ts";
import type { Result } from "../spec/result.ts";
import type { ContainerInterface } from "./container-interface.ts";
import type { Scheduler } from "./loop.ts";
import type { AttachmentId, Wish } from "./protocol.ts";

/** What a server or router says that an interface is to have. */
export interface Settings extends Pick<Result, "ips" | "routes" | "dns"> {
  /** Of the link, in bytes. */
  readonly mtu?: number | undefined;
  /** IPv6 addresses that are not to be spoken from if there are others (RFC 4862, section 5.5.4). */
  readonly deprecated?: readonly string[] | undefined;
}

/** Settings for a time. Times are milliseconds on the scheduler's clock; Infinity where there is no end. */
export interface Lease {
  readonly settings: Settings;
  /** When the source asks for more time, first. */
  readonly renewAt: number;
  readonly expiresAt: number;
  /**
   * What the source itself must know to go on with the lease in another process. Its `server`, if that is a text, is
   * shown to operators.
   */
  readonly memory: JsonObject;
}

/** What a source tells. It is told from callbacks of the scheduler, never within a call of the source's methods. */
export interface SourceEvents {
  /** A lease was got, extended or changed; it replaces the one before. */
  bound(lease: Lease): void;
  /** The lease has ended or was taken back: its settings must go now. The source goes on seeking. */
  lost(reason: string): void;
  /** The interface or its namespace does not exist any more; the source has stopped. */
  gone(reason: string): void;
  /** Something that an operator should know: a line, without the attachment's name. */
  log(text: string): void;
}

/** Where settings for an interface come from: a DHCP server, a router. It gets a lease and extends it while it can. */
export interface Source {
  /** Begins to seek; with a lease, goes on with that. */
  start(lease?: Lease): void;
  /** Tells the server that the lease is not used any more, as far as the protocol has words for that, and stops. */
  release(): void;
  /** Stops without a word: sockets are closed and timers cancelled. */
  stop(): void;
}

/** How patient sources are. All in milliseconds. */
export interface Timing {
  /** For how long a server that has offered something is asked for it, before another one is sought. */
  readonly timeout: number;
  /** The longest pause between two of the same message. */
  readonly resendMax: number;
  /** For how long an answer to the probe for duplicate addresses is awaited; 0: no probe. */
  readonly probe: number;
}

/** What a source works with and for. */
export interface SourceContext {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly target: ContainerInterface;
  readonly id: AttachmentId;
  readonly wish: Wish;
  readonly timing: Timing;
}
