import type { Ip } from "../../address/ip.ts";
import type { MacAddress } from "../../address/mac.ts";
import { WireError } from "../../netlink/codec.ts";
import type { Lease, Source, SourceContext, SourceEvents } from "../source.ts";
import { isHost } from "./address.ts";
import { Exchange } from "./exchange.ts";
import { type Held, heldOf, leaseOf } from "./lease.ts";
import type { Message } from "./message.ts";
import { MessageType, messageText, messageType, serverId } from "./options.ts";
import { jittered, renewalPause, resendPause } from "./pauses.ts";
import { AddressProbe } from "./probe.ts";
import { PacketTransport, type Peer, type Transport } from "./transport.ts";

/**
 * `selecting` waits for an OFFER, `requesting` for the ACK to it, `probing` for another owner of the address that the
 * ACK gave, `renewing` and `rebinding` for an ACK that extends the lease (RFC 2131, section 4.4, figure 5).
 */
type Phase = "idle" | "selecting" | "requesting" | "probing" | "bound" | "renewing" | "rebinding";

interface Offer {
  readonly address: Ip;
  readonly server: Peer;
  /** Until when the server is asked for it. */
  readonly deadline: number;
  /** A REQUEST tells the same time as the DISCOVER before it (RFC 2131, section 4.4.1). */
  readonly secs: number;
}

/**
 * Before the first DISCOVERs of a client are repeated. A link that has just come up may lose them, because a bridge, for
 * one, opens its port some milliseconds later.
 */
const QUICK_MS: readonly number[] = [50, 250];
/** After a DECLINE. RFC 2131, section 3.1, says 10 s; the first time, somebody waits for his ADD. */
const FIRST_DECLINE_PAUSE_MS = 1_000;
const DECLINE_PAUSE_MS = 10_000;

/** A client of DHCPv4 (RFC 2131): settings for an interface from a server of its link. */
export class Dhcp4Source implements Source {
  readonly #context: SourceContext;
  readonly #events: SourceEvents;
  readonly #transport: Transport;
  readonly #exchange: Exchange;
  #phase: Phase = "idle";
  /** How often the message has been sent; below 0, how many more are quick. */
  #attempt = 0;
  /** When a server was last asked for a lease: from then on it counts. */
  #requestedAt = 0;
  #secs = 0;
  #offer: Offer | undefined;
  /** What a server gave, until it is clear that nobody else has the address. */
  #given: Held | undefined;
  /** The lease that was told. */
  #held: Held | undefined;
  /** An address that would be welcome. */
  #wanted: Ip | undefined;
  #probe: AddressProbe | undefined;
  #declined: { readonly address: Ip; readonly until: number } | undefined;
  /** How many leases in succession were refused or declined. */
  #setbacks = 0;

  constructor(
    context: SourceContext,
    events: SourceEvents,
    transport: Transport = new PacketTransport(context),
  ) {
    this.#context = context;
    this.#events = events;
    this.#transport = transport;
    this.#exchange = new Exchange(context, transport);
  }

  start(lease?: Lease): void {
    this.stop();
    this.#exchange.start({
      received: (message, from) => this.#received(message, from),
      gone: (reason) => {
        this.stop();
        this.#events.gone(reason);
      },
      log: (text) => this.#events.log(text),
    });
    this.#held = lease && heldOf(lease);
    if (this.#held) this.#hold(this.#held);
    else
      this.#exchange.rest(0, () => {
        this.#seek(-QUICK_MS.length);
        if (lease) this.#events.lost("the lease cannot be read");
      });
  }

  release(): void {
    // A server that was asked for what it offers may have given it by now.
    const held = this.#given ?? this.#held ?? this.#offer;
    this.stop();
    if (held === undefined) return;
    const { address: own, server } = held;
    this.#exchange.tell({ type: MessageType.Release, own, server: server.ip }, server);
  }

  stop(): void {
    this.#phase = "idle";
    this.#exchange.end();
    this.#unwatch();
    this.#forget();
  }

  get #now(): number {
    return this.#context.scheduler.now();
  }

  /** From the beginning: RFC 2131, section 4.4.1. */
  #seek(attempt = 0): void {
    this.#phase = "selecting";
    this.#attempt = attempt;
    this.#offer = undefined;
    this.#unwatch();
    this.#exchange.begin();
    this.#discover();
  }

  #discover(): void {
    const again = () => this.#discover();
    const sent = this.#exchange.works(() => {
      this.#exchange.open();
      this.#secs = this.#exchange.seconds;
      this.#exchange.send({ type: MessageType.Discover, secs: this.#secs, requested: this.#wanted });
    }, again);
    if (!sent) return;
    if (this.#attempt === 1) this.#events.log("no DHCP server answers");
    this.#exchange.listen(this.#nextPause(), again);
  }

  #offered({ yiaddr: address }: Message, server: Peer): void {
    if (!isHost(address)) return;
    if (this.#declined?.address.equals(address) && this.#now < this.#declined.until) return;
    this.#phase = "requesting";
    this.#attempt = 0;
    const deadline = this.#now + this.#context.timing.timeout;
    this.#offer = { address, server, deadline, secs: this.#secs };
    this.#request(this.#offer);
  }

  /** Asks the server for what it offers; when it does not answer in time, all are asked again. */
  #request(offer: Offer): void {
    const { address, server, deadline, secs } = offer;
    if (this.#attempt > 0 && this.#now >= deadline) {
      this.#events.log(`server ${server.ip} offers ${address}, but does not give it`);
      this.#seek();
      return;
    }
    const again = () => this.#request(offer);
    const sent = this.#exchange.works(() => {
      this.#requestedAt = this.#now;
      this.#exchange.send({ type: MessageType.Request, secs, requested: address, server: server.ip });
      // While the server writes its ACK, who has the address hears of it.
      this.#ask(address);
    }, again);
    if (sent) this.#exchange.listen(Math.min(this.#nextPause(), deadline - this.#now), again);
  }

  /** Asks whether somebody has the address. */
  #ask(address: Ip): void {
    if (this.#probe?.address.equals(address)) return;
    this.#unwatch();
    // Who shares his MAC address is reached by answers to an address that he has, and a probe does not tell one.
    if (this.#context.timing.probe <= 0 || this.#exchange.sharesMac) return;
    this.#probe = new AddressProbe(this.#context, this.#transport, address, () => this.#contested());
  }

  #received(message: Message, from: MacAddress): void {
    const type = messageType(message);
    const server = serverId(message);
    if (server === undefined) return;
    const peer: Peer = { ip: server, mac: from };
    if (this.#phase === "selecting" && type === MessageType.Offer) this.#offered(message, peer);
    else if (!this.#mayAnswer(server)) return;
    else if (type === MessageType.Ack) this.#acknowledged(message, peer);
    else if (type === MessageType.Nak) this.#refused(server, messageText(message));
  }

  /** Whether this server may answer our REQUEST: the one that it is for; from T2 on each. */
  #mayAnswer(server: Ip): boolean {
    switch (this.#phase) {
      case "requesting":
        return server.equals(this.#offer!.server.ip);
      case "renewing":
        return server.equals(this.#held!.server.ip);
      default:
        return this.#phase === "rebinding";
    }
  }

  #acknowledged(message: Message, server: Peer): void {
    let given: Held;
    try {
      given = leaseOf(message, server, this.#requestedAt, this.#context, (text) => this.#events.log(text));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#events.log(`an ACK of server ${server.ip} is ignored: ${error.message}`);
      return;
    }
    if (this.#held?.address.equals(given.address)) this.#bind(given);
    else {
      this.#phase = "probing";
      this.#given = given;
      this.#prove(given);
    }
  }

  /** Waits until who has the address would have said so. */
  #prove(given: Held): void {
    const again = () => this.#prove(given);
    if (!this.#exchange.works(() => this.#ask(given.address), again)) return;
    const { owner, left = 0 } = this.#probe ?? {};
    if (owner) this.#decline(given, owner);
    else if (left > 0) this.#exchange.rest(left, () => this.#bind(given));
    else this.#bind(given);
  }

  #bind(held: Held): void {
    this.#forget();
    this.#held = held;
    if (this.#probe) this.#probe.settle(() => this.#settled());
    else this.#setbacks = 0;
    this.#hold(held);
    this.#events.bound(held.lease);
  }

  #settled(): void {
    this.#probe = undefined;
    this.#setbacks = 0;
  }

  /** Nothing is to be done until T1. */
  #hold(held: Held): void {
    this.#phase = "bound";
    this.#exchange.rest(held.lease.renewAt - this.#now, () => {
      this.#exchange.begin();
      this.#extend(held);
    });
  }

  /** Asks the server, from T2 on all servers, for more time: RFC 2131, section 4.4.5. */
  #extend(held: Held): void {
    const { address, server, rebindAt } = held;
    const { expiresAt, renewAt } = held.lease;
    if (this.#now >= expiresAt) {
      this.#lose(`the lease of ${address} has ended`, 0, address);
      return;
    }
    const renewing = this.#now < rebindAt;
    const again = () => this.#extend(held);
    const ask = () => {
      this.#exchange.renumber();
      this.#exchange.open(address);
      this.#requestedAt = this.#now;
      const message = { type: MessageType.Request, secs: this.#exchange.seconds, own: address };
      this.#exchange.send(message, renewing ? server : undefined);
      if (!renewing && this.#phase === "renewing")
        this.#events.log(
          `server ${server.ip} does not extend the lease of ${address}: all servers are asked`,
        );
      this.#phase = renewing ? "renewing" : "rebinding";
    };
    if (!this.#exchange.works(ask, again, expiresAt)) return;
    const left = (renewing ? rebindAt : expiresAt) - this.#now;
    this.#exchange.listen(renewalPause(left, expiresAt - renewAt), again);
  }

  #refused(server: Ip, text: string): void {
    const address = this.#offer?.address ?? this.#held?.address;
    // A server may refuse what it offers, again and again.
    const pause = this.#setbacks === 0 ? 0 : this.#pause(this.#setbacks - 1);
    this.#setbacks++;
    this.#lose(`server ${server} refuses ${address}${text && `: ${text}`}`, pause);
  }

  /** Another host says that it has the address. Before the ACK there is nothing to decline. */
  #contested(): void {
    const held = this.#given ?? this.#held;
    const owner = this.#probe?.owner;
    if (held && owner) this.#decline(held, owner);
  }

  #decline({ address, server }: Held, owner: MacAddress): void {
    this.#exchange.tell({ type: MessageType.Decline, requested: address, server: server.ip });
    this.#declined = { address, until: this.#now + DECLINE_PAUSE_MS };
    const pause = this.#setbacks === 0 ? FIRST_DECLINE_PAUSE_MS : DECLINE_PAUSE_MS;
    this.#setbacks++;
    this.#lose(`${address}, given by server ${server.ip}, is in use by ${owner}`, pause);
  }

  /** There is no lease, or none any more. After `pause` one is sought. */
  #lose(reason: string, pause: number, wanted?: Ip): void {
    const had = this.#held !== undefined;
    this.#phase = "selecting";
    this.#unwatch();
    this.#forget();
    this.#wanted = wanted;
    this.#exchange.rest(pause, () => this.#seek());
    if (had) this.#events.lost(reason);
    else this.#events.log(reason);
  }

  #forget(): void {
    this.#offer = this.#given = this.#held = this.#wanted = undefined;
  }

  #unwatch(): void {
    this.#probe?.stop();
    this.#probe = undefined;
  }

  /** Until the message is sent once more. */
  #nextPause(): number {
    return this.#pause(this.#attempt++);
  }

  #pause(attempt: number): number {
    const { host, timing } = this.#context;
    const quick = QUICK_MS.at(attempt);
    return attempt < 0 && quick ? jittered(host, quick, 0.25) : resendPause(host, attempt, timing.resendMax);
  }
}
