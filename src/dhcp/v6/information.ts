import { unrepeated } from "../log.ts";
import type { Timer } from "../loop.ts";
import type { Lease, Source, SourceContext, SourceEvents } from "../source.ts";
import type { Answer } from "./answer.ts";
import { MessageType } from "./message.ts";
import { fraction, INFORMATION_REQUEST, MAX_DELAY_MS, within } from "./retransmission.ts";
import { Servers } from "./servers.ts";
import { udpTransport } from "./transport.ts";

/**
 * Gets DNS settings by DHCPv6, for an interface that has its address by other means (RFC 8415, sections 6.1 and 18.2.6).
 * Its leases have no end: what was heard holds until something else is.
 */
export class Dhcp6Information implements Source {
  readonly #context: SourceContext;
  readonly #events: SourceEvents;
  readonly #servers: Servers;
  #timer: Timer | undefined;
  #longestPause: number;

  constructor(context: SourceContext, events: SourceEvents, transport = udpTransport(context)) {
    this.#context = context;
    this.#events = events;
    this.#servers = new Servers(context, transport);
    this.#longestPause = within(INFORMATION_REQUEST, context.timing.resendMax).longest;
  }

  start(lease?: Pick<Lease, "memory">): void {
    const refreshAt = lease?.memory["refreshAt"];
    if (lease === undefined || refreshAt === undefined) this.#ask();
    // JSON has no Infinity: it comes back as null.
    else if (typeof refreshAt === "number") this.#refreshAt(refreshAt);
  }

  /** Servers remember nothing of such a client. */
  release(): void {
    this.stop();
  }

  stop(): void {
    this.#servers.quiet();
    this.#timer?.cancel();
  }

  #ask(delay = 0): void {
    const { resendMax } = this.#context.timing;
    this.#servers.ask({
      type: MessageType.InformationRequest,
      pattern: { ...within(INFORMATION_REQUEST, resendMax), longest: this.#longestPause },
      delay,
      answered: (answer, type) => {
        if (type === MessageType.Reply) this.#answered(answer);
      },
      gone: (reason) => {
        this.stop();
        this.#events.gone(reason);
      },
      log: unrepeated((text) => this.#events.log(text)),
    });
  }

  #answered({ dns, refresh, informationMaxRt }: Answer): void {
    this.#servers.quiet();
    this.#longestPause = informationMaxRt ?? this.#longestPause;
    const refreshAt = this.#context.scheduler.now() + refresh;
    this.#refreshAt(refreshAt);
    const lease = { renewAt: refreshAt, expiresAt: Number.POSITIVE_INFINITY, memory: { refreshAt } };
    this.#events.bound({ settings: { dns }, ...lease });
  }

  #refreshAt(time: number): void {
    if (!Number.isFinite(time)) return;
    const { host, scheduler } = this.#context;
    this.#timer = scheduler.after(time - scheduler.now(), () => this.#ask(fraction(host) * MAX_DELAY_MS));
  }
}
