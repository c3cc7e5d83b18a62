import { WireError, Writer } from "../../netlink/codec.ts";
import { InterfaceGone } from "../container-interface.ts";
import { errorLine } from "../failure.ts";
import type { Log } from "../log.ts";
import type { Timer } from "../loop.ts";
import type { SourceContext } from "../source.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { type Identity, identityOf } from "./duid.ts";
import { decodeMessage, encodeMessage, Option, type Options } from "./message.ts";
import { fraction, type Pattern, pause } from "./retransmission.ts";
import { optionsOf, type Statement } from "./statement.ts";
import type { Channel, Transport } from "./transport.ts";

/** A message that is sent until it is answered (RFC 8415, section 15). */
export interface Question extends Statement {
  readonly pattern: Pattern;
  /** When it is given up, on the scheduler's clock; undefined: never. */
  readonly until?: number;
  /** In milliseconds. */
  readonly delay?: number;
  /** By a message of this type. The question is repeated until another one is asked, or `quiet` called. */
  readonly answered: (answer: Answer, type: number) => void;
  /** It was sent as often, or for as long, as it may be; nothing is asked any more. */
  readonly exhausted?: () => void;
  /** The interface, or its namespace, does not exist any more; nothing is asked any more. */
  readonly gone: (reason: string) => void;
  /** Told at each transmission what is wrong. */
  readonly log: Log;
}

/** A link that is just up needs some milliseconds until it can send; one without a carrier needs hours. */
const SHORTEST_STEP_MS = 10;
const LONGEST_STEP_MS = 5000;
/** The step that is reached after two seconds. */
const LONG_STEP_MS = 100;
/** In hundredths of a second (RFC 8415, section 21.9). */
const LONGEST_ELAPSED = 0xffff;

/** A question that is being asked. */
interface Asked {
  readonly question: Question;
  readonly options: Options;
  /** 24 bits. */
  readonly transactionId: number;
  /** When it was sent first. */
  begun?: number;
  /** How often it was sent. */
  sent: number;
  pause: number | undefined;
  /** Until the next try where the link cannot send. */
  step: number;
  heard: boolean;
}

/** The DHCPv6 servers of a link as one client sees them: it asks one question at a time, and has a socket meanwhile. */
export class Servers {
  readonly #context: SourceContext;
  readonly #transport: Transport;
  readonly #identity: Identity;
  #channel: Channel | undefined;
  #timer: Timer | undefined;

  constructor(context: SourceContext, transport: Transport) {
    this.#context = context;
    this.#transport = transport;
    this.#identity = identityOf(context.host, context.id);
  }

  /** Instead of the question before; at the next turn of the loop, or later. */
  ask(question: Question): void {
    this.quiet();
    const asked = { sent: 0, pause: undefined, step: SHORTEST_STEP_MS, heard: false };
    this.#next({ ...this.#begin(question), question, ...asked }, question.delay ?? 0);
  }

  /** Asks no more: nothing is told after this. */
  quiet(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#close();
  }

  /** Says something once, and waits for nothing. InterfaceGone is nobody's trouble here; SysError. */
  tell(statement: Statement): void {
    this.quiet();
    try {
      this.#send(statement.type, this.#begin(statement), 0, () => {});
    } catch (error) {
      if (!(error instanceof InterfaceGone)) throw error;
    } finally {
      this.#close();
    }
  }

  #begin(statement: Statement): Pick<Asked, "options" | "transactionId"> {
    const transactionId = Math.floor(fraction(this.#context.host) * 2 ** 24);
    return { options: optionsOf(statement, this.#identity), transactionId };
  }

  #close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  #turn(asked: Asked): void {
    const { pattern, until = Number.POSITIVE_INFINITY, exhausted, gone, log } = asked.question;
    if (asked.sent === pattern.count || this.#context.scheduler.now() >= until) {
      this.quiet();
      exhausted?.();
      return;
    }
    if (asked.sent === 2 && !asked.heard) log("no DHCPv6 server answers");
    try {
      if (this.#transmit(asked)) {
        asked.sent++;
        asked.pause = pause(pattern, asked.pause, fraction(this.#context.host));
        asked.step = SHORTEST_STEP_MS;
        this.#next(asked, asked.pause);
        return;
      }
      if (asked.step > LONG_STEP_MS) log("cannot ask DHCPv6 servers: the link has no carrier, or no address");
    } catch (error) {
      if (error instanceof InterfaceGone) {
        this.quiet();
        gone(error.message);
        return;
      }
      log(`cannot ask DHCPv6 servers: ${errorLine(error)}`);
    }
    this.#close();
    this.#next(asked, asked.step);
    asked.step = Math.min(asked.step * 1.05, LONGEST_STEP_MS);
  }

  #transmit(asked: Asked): boolean {
    const now = this.#context.scheduler.now();
    asked.begun ??= now;
    const elapsed = Math.min(Math.floor((now - asked.begun) / 10), LONGEST_ELAPSED);
    return this.#send(asked.question.type, asked, elapsed, (datagram) => this.#receive(asked, datagram));
  }

  /** False if the interface cannot send now. */
  #send(
    type: number,
    { options, transactionId }: Pick<Asked, "options" | "transactionId">,
    elapsed: number,
    received: (datagram: Uint8Array) => void,
  ): boolean {
    // Each time anew: the interface may have another address by now, or none.
    this.#close();
    this.#channel = this.#transport.open(received);
    const time = new Writer(2).be16(elapsed).finish();
    const timed: Options = [...options, [Option.ElapsedTime, time]];
    return this.#channel?.send(encodeMessage({ type, transactionId, options: timed })) ?? false;
  }

  /** What is no message, or not meant for us, is ignored without a word: who sends nonsense could fill the log. */
  #receive(asked: Asked, datagram: Uint8Array): void {
    const { address, answered, log } = asked.question;
    try {
      const message = decodeMessage(datagram);
      if (message.transactionId !== asked.transactionId) return;
      asked.heard = true;
      const context = { own: address, ifName: this.#context.target.name, log };
      const answer = readAnswer(message, this.#identity, context);
      if (answer) answered(answer, message.type);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }

  /** Not later than the question is given up. */
  #next(asked: Asked, ms: number): void {
    const { scheduler } = this.#context;
    const { until = Number.POSITIVE_INFINITY } = asked.question;
    this.#timer = scheduler.after(Math.min(ms, until - scheduler.now()), () => this.#turn(asked));
  }
}
