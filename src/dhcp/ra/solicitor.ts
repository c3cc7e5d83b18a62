import { type Ip, parseIp } from "../../address/ip.ts";
import { WireError } from "../../netlink/codec.ts";
import { InterfaceGone } from "../container-interface.ts";
import { errorLine } from "../failure.ts";
import type { Timer } from "../loop.ts";
import type { SourceContext } from "../source.ts";
import { isLinkLocal } from "../v6/address.ts";
import { fraction } from "../v6/retransmission.ts";
import type { IcmpPacket } from "./icmp.ts";
import { type IcmpSocket, openIcmpSocket } from "./icmp-socket.ts";
import {
  type Advertisement,
  decodeAdvertisement,
  encodeSolicitation,
  ROUTER_ADVERTISEMENT,
} from "./message.ts";

const ALL_ROUTERS = "ff02::2";
/** The first pause between two solicitations; routers take up to half a second to answer (RFC 4861, section 6.2.6). */
const FIRST_PAUSE_MS = 1000;
/** After the first answer, for those of other routers; a router may multicast once in 3 s (MIN_DELAY_BETWEEN_RAS). */
const LISTEN_MS = 3500;
/** More advertisements in that time are a flood: each makes work. */
const MOST_HEARD = 32;
/** A link that has just come up needs a moment until it can send; others may be without a carrier for long. */
const STEP_MS = 10;
const QUICK_STEPS = 200;
const SLOW_STEP_MS = 500;

/** Whom an advertisement came from, and to what interface. */
export interface Heard {
  /** The router's link-local address. */
  readonly router: Ip;
  /** The interface's. */
  readonly linkLocal: Ip;
  /** The interface's, in bytes. */
  readonly mtu: number;
}

export interface SolicitorEvents {
  advertised(advertisement: Advertisement, heard: Heard): void;
  /** No router has answered a solicitation in time; the next one follows. */
  silent(): void;
  gone(reason: string): void;
  log(text: string): void;
}

/** Asks the routers of a link what they have to say (RFC 4861, section 6.3.7), until one answers. */
export class RouterSolicitor {
  readonly #context: SourceContext;
  readonly #events: SolicitorEvents;
  readonly #open: typeof openIcmpSocket;
  #socket: IcmpSocket | undefined;
  #timer: Timer | undefined;
  #pause = FIRST_PAUSE_MS;
  #steps = 0;
  #heard = 0;

  constructor(context: SourceContext, events: SolicitorEvents, open = openIcmpSocket) {
    this.#context = context;
    this.#events = events;
    this.#open = open;
  }

  /** As `start`, unless it is at it. */
  ask(): void {
    if (this.#timer === undefined) this.start();
  }

  /** From the beginning if it is at it. */
  start(): void {
    this.stop();
    this.#pause = FIRST_PAUSE_MS;
    this.#steps = 0;
    this.#heard = 0;
    this.#after(0, () => this.#solicit());
  }

  /** Nothing is told after this. */
  stop(): void {
    this.#timer?.cancel();
    this.#socket?.close();
    this.#timer = this.#socket = undefined;
  }

  #solicit(): void {
    try {
      this.#socket ??= this.#open(this.#context, ROUTER_ADVERTISEMENT, (packet) => this.#receive(packet));
      if (this.#socket?.send(parseIp(ALL_ROUTERS)!, encodeSolicitation(this.#socket.mac))) {
        this.#after(this.#jittered(this.#pause), () => this.#unanswered());
        return;
      }
      this.stop();
    } catch (error) {
      this.stop();
      if (error instanceof InterfaceGone) {
        this.#events.gone(error.message);
        return;
      }
      this.#steps = QUICK_STEPS;
      this.#events.log(`cannot ask for routers: ${errorLine(error)}`);
    }
    this.#after(this.#steps++ < QUICK_STEPS ? STEP_MS : SLOW_STEP_MS, () => this.#solicit());
  }

  #unanswered(): void {
    const timer = this.#timer;
    this.#pause = Math.min(this.#pause * 2, Math.max(FIRST_PAUSE_MS, this.#context.timing.resendMax));
    this.#events.silent();
    // Who was told may have stopped it, or started it anew.
    if (this.#timer === timer) this.#solicit();
  }

  /** What is not valid is ignored without a word (RFC 4861, section 6.1.2): who sends nonsense could fill the log. */
  #receive({ source, icmp }: IcmpPacket): void {
    const socket = this.#socket;
    if (socket === undefined || !isLinkLocal(source)) return;
    let advertisement: Advertisement;
    try {
      advertisement = decodeAdvertisement(icmp);
    } catch (error) {
      if (error instanceof WireError) return;
      throw error;
    }
    if (++this.#heard === 1) this.#after(LISTEN_MS, () => this.stop());
    if (this.#heard === MOST_HEARD) this.stop();
    this.#events.advertised(advertisement, { router: source, linkLocal: socket.linkLocal, mtu: socket.mtu });
  }

  /** Ten percent more or less (RFC 7559, section 2). */
  #jittered(ms: number): number {
    return ms * (0.9 + 0.2 * fraction(this.#context.host));
  }

  #after(ms: number, callback: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#context.scheduler.after(ms, callback);
  }
}
