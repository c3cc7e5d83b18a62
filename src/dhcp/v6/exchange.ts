import type { Host } from "../../host/host.ts";
import { WireError } from "../../netlink/codec.ts";
import { InterfaceGone } from "../container-interface.ts";
import type { Scheduler, Timer } from "../loop.ts";
import { decodeMessage, encodeMessage, type Message, Option, type Options } from "./message.ts";
import { fraction, type Pattern, pause } from "./retransmission.ts";
import type { Channel, Transport } from "./transport.ts";

/** A message that is sent until it is answered (RFC 8415, section 15). */
export interface Question {
  readonly type: number;
  readonly options: Options;
  readonly pattern: Pattern;
  /** When it is given up, on the scheduler's clock; undefined: never. */
  readonly until?: number | undefined;
}

export interface ExchangeEvents {
  /** A message with the question's transaction ID; it is the answer if the exchange is stopped then. */
  received(message: Message): void;
  /** It was sent as often, or for as long, as it may be; the exchange has stopped. */
  exhausted(): void;
  /** The exchange has stopped. */
  gone(reason: string): void;
  log(text: string): void;
}

/** A link that is just up needs some milliseconds until it can send; one without a carrier needs hours. */
const SHORTEST_STEP_MS = 10;
const LONGEST_STEP_MS = 5000;
/** The step that is reached after two seconds. */
const LONG_STEP_MS = 100;
/** In hundredths of a second (RFC 8415, section 21.9). */
const LONGEST_ELAPSED = 0xffff;

/** One question to the servers. Its socket is open until it is stopped, answered or exhausted. */
export class Exchange {
  readonly #context: { readonly host: Host; readonly scheduler: Scheduler };
  readonly #transport: Transport;
  readonly #question: Question;
  readonly #events: ExchangeEvents;
  readonly #transactionId: number;
  #channel: Channel | undefined;
  #timer: Timer | undefined;
  #begun: number | undefined;
  #sent = 0;
  #pause: number | undefined;
  #step = SHORTEST_STEP_MS;
  #heard = false;
  #trouble = "";

  /** It begins at the next turn of the loop, or `delayMs` later. */
  constructor(
    context: { readonly host: Host; readonly scheduler: Scheduler },
    transport: Transport,
    question: Question,
    events: ExchangeEvents,
    delayMs = 0,
  ) {
    this.#context = context;
    this.#transport = transport;
    this.#question = question;
    this.#events = events;
    this.#transactionId = Math.floor(fraction(context.host) * 2 ** 24);
    this.#next(delayMs);
  }

  /** Nothing is told after this. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#close();
  }

  #close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  #turn(): void {
    const { pattern, until = Number.POSITIVE_INFINITY } = this.#question;
    if (this.#sent === pattern.count || this.#context.scheduler.now() >= until) {
      this.stop();
      this.#events.exhausted();
      return;
    }
    if (this.#sent === 2 && !this.#heard) this.#tell("no DHCPv6 server answers");
    try {
      if (this.#send()) {
        this.#sent++;
        this.#pause = pause(pattern, this.#pause, fraction(this.#context.host));
        this.#step = SHORTEST_STEP_MS;
        this.#next(this.#pause);
        return;
      }
      if (this.#step > LONG_STEP_MS)
        this.#tell("cannot ask DHCPv6 servers: the link has no carrier, or no address");
    } catch (error) {
      if (error instanceof InterfaceGone) {
        this.stop();
        this.#events.gone(error.message);
        return;
      }
      this.#tell(`cannot ask DHCPv6 servers: ${error instanceof Error ? error.message : error}`);
    }
    this.#close();
    this.#next(this.#step);
    this.#step = Math.min(this.#step * 1.05, LONGEST_STEP_MS);
  }

  /** Once, however often it is met. */
  #tell(trouble: string): void {
    if (trouble !== this.#trouble) this.#events.log(trouble);
    this.#trouble = trouble;
  }

  /** False if the interface cannot send now. */
  #send(): boolean {
    // Each time anew: the interface may have another address by now, or none.
    this.#close();
    this.#channel = this.#transport.open((datagram) => this.#receive(datagram));
    if (this.#channel === undefined) return false;
    const { type, options } = this.#question;
    const elapsed = this.#elapsed();
    const timed: Options = [...options, [Option.ElapsedTime, new Uint8Array([elapsed >> 8, elapsed & 0xff])]];
    return this.#channel.send(encodeMessage({ type, transactionId: this.#transactionId, options: timed }));
  }

  #elapsed(): number {
    const now = this.#context.scheduler.now();
    this.#begun ??= now;
    return Math.min(Math.floor((now - this.#begun) / 10), LONGEST_ELAPSED);
  }

  /** What is no message, or not meant for us, is ignored without a word: who sends nonsense could fill the log. */
  #receive(datagram: Uint8Array): void {
    try {
      const message = decodeMessage(datagram);
      if (message.transactionId !== this.#transactionId) return;
      this.#heard = true;
      this.#events.received(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }

  /** Not later than the question is given up. */
  #next(ms: number): void {
    const { scheduler } = this.#context;
    const { until = Number.POSITIVE_INFINITY } = this.#question;
    this.#timer = scheduler.after(Math.min(ms, until - scheduler.now()), () => this.#turn());
  }
}
