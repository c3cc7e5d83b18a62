import type { Ip } from "../../address/ip.ts";
import type { MacAddress } from "../../address/mac.ts";
import { SysError } from "../../host/host.ts";
import { WireError } from "../../netlink/codec.ts";
import { NetlinkError } from "../../netlink/error.ts";
import { InterfaceGone } from "../container-interface.ts";
import type { Timer } from "../loop.ts";
import type { SourceContext } from "../source.ts";
import { type ClientMessage, encodeClientMessage } from "./client-message.ts";
import { decodeMessage, type Message } from "./message.ts";
import { type Channel, LinkNotReady, type Peer, type Transport } from "./transport.ts";

/** What cannot be sent is tried again: at first often, for a link comes up within milliseconds. */
const SHORTEST_STEP_MS = 10;
const LONGEST_STEP_MS = 5_000;
/** Then somebody should know. */
const BLOCKED_LONG_MS = 1_000;

export interface ExchangeEvents {
  /** An answer came, from this MAC address. Its type and its server are not looked at. */
  received(message: Message, from: MacAddress): void;
  gone(reason: string): void;
  log(text: string): void;
}

/** A client's exchanges with servers, one at a time: sends, listens, and calls back when it is time for the next step. */
export class Exchange {
  readonly #context: SourceContext;
  readonly #transport: Transport;
  /** Undefined when nobody wants to hear any more: the two hold each other, and their memory would be free late. */
  #events: ExchangeEvents | undefined;
  #timer: Timer | undefined;
  /** Open while an answer may come. */
  #channel: Channel | undefined;
  #xid = 0;
  #begunAt = 0;
  /** Since when nothing can be sent. */
  #blockedAt: number | undefined;

  constructor(context: SourceContext, transport: Transport) {
    this.#context = context;
    this.#transport = transport;
  }

  /** Tells `events` what comes, until the end. */
  start(events: ExchangeEvents): void {
    this.#events = events;
  }

  /** Stops; what is still said after that is not answered. */
  end(): void {
    this.stop();
    this.#events = undefined;
  }

  get #now(): number {
    return this.#context.scheduler.now();
  }

  /** Seconds since the exchange was begun. */
  get seconds(): number {
    return Math.floor((this.#now - this.#begunAt) / 1000);
  }

  /** Other containers have the interface's MAC address too, as far as is known: see Channel. */
  get sharesMac(): boolean {
    return this.#channel?.sharesMac === true;
  }

  /** A new exchange: answers to what was sent before are ignored. */
  begin(): void {
    this.#begunAt = this.#now;
    this.renumber();
  }

  /** A new message of the same exchange. */
  renumber(): void {
    this.#xid = new DataView(this.#context.host.random(4).buffer).getUint32(0);
  }

  /** Opens what was open anew: the link, its MAC address and its MTU may have changed. Throws as Transport does. */
  open(own?: Ip): void {
    this.close();
    this.#channel = this.#transport.open((payload, from) => this.#receive(payload, from), own);
  }

  /** Opens what is not open. To all, unless told otherwise. Throws as Transport does. */
  send(message: Omit<ClientMessage, "xid">, to?: Peer): void {
    if (this.#channel === undefined) this.open(message.own);
    const channel = this.#channel!;
    channel.send(encodeClientMessage(this.#context, channel, { ...message, xid: this.#xid }), to);
  }

  /** Sends something that is not answered. What a server does not hear, it learns when the lease ends. */
  tell(message: Omit<ClientMessage, "xid" | "secs">, to?: Peer): void {
    this.begin();
    this.close();
    try {
      this.send({ ...message, secs: 0 }, to);
    } catch (error) {
      if (!(error instanceof InterfaceGone || isTemporary(error))) throw error;
    } finally {
      this.close();
    }
  }

  /**
   * Does something on the link. False if that is not possible: then `again` is called later, at `latest` if that is
   * soon, unless the interface is gone, which is told.
   */
  works(work: () => void, again: () => void, latest = Number.POSITIVE_INFINITY): boolean {
    try {
      work();
      this.#blockedAt = undefined;
      return true;
    } catch (error) {
      this.close();
      if (error instanceof InterfaceGone) this.#events?.gone(error.message);
      else if (isTemporary(error))
        this.#after(Math.min(this.#step(error.message), latest - this.#now), again);
      else throw error;
      return false;
    }
  }

  /** Listens for a while, at most for as long as `Timing.timeout`, then calls back when `pause` is over. */
  listen(pause: number, next: () => void): void {
    const patience = this.#context.timing.timeout;
    if (pause <= patience) this.#after(pause, next);
    else this.#after(patience, () => this.rest(pause - patience, next));
  }

  /** Ends listening, and calls back after a time; never, if that is endless. */
  rest(ms: number, next: () => void): void {
    this.stop();
    if (ms !== Number.POSITIVE_INFINITY) this.#after(ms, next);
  }

  /** Ends listening, and does not call back. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.close();
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** What is no answer to us is ignored without a word: it could fill the log. */
  #receive(payload: Uint8Array, from: MacAddress): void {
    const mac = this.#channel?.mac.bytes;
    let message: Message;
    try {
      message = decodeMessage(payload);
    } catch (error) {
      if (error instanceof WireError) return;
      throw error;
    }
    const { op, xid, chaddr } = message;
    if (op === 2 && xid === this.#xid && mac && chaddr.every((byte, index) => byte === mac[index]))
      this.#events?.received(message, from);
  }

  /** How long to wait for a link that cannot send. */
  #step(reason: string): number {
    this.#blockedAt ??= this.#now;
    const blocked = this.#now - this.#blockedAt;
    const step = Math.min(LONGEST_STEP_MS, Math.max(SHORTEST_STEP_MS, blocked / 10));
    if (blocked < BLOCKED_LONG_MS && blocked + step >= BLOCKED_LONG_MS) this.#events?.log(reason);
    return step;
  }

  #after(ms: number, callback: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#context.scheduler.after(ms, callback);
  }
}

/** What a link that is down says, a queue that is full, a limit that is reached. */
function isTemporary(error: unknown): error is Error {
  return error instanceof LinkNotReady || error instanceof NetlinkError || error instanceof SysError;
}
