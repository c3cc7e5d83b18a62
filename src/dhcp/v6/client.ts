import type { Ip } from "../../address/ip.ts";
import type { Dns } from "../../spec/result.ts";
import { type Log, unrepeated } from "../log.ts";
import type { Timer } from "../loop.ts";
import type { Lease, Source, SourceContext, SourceEvents } from "../source.ts";
import type { Answer, Grant } from "./answer.ts";
import { describeStatus, Status } from "./association.ts";
import { type Binding, bindingFrom, bindingOf, leaseOf } from "./binding.ts";
import { MessageType } from "./message.ts";
import type { Probe } from "./neighbour-probe.ts";
import { DECLINE, EXTEND, type Pattern, REQUEST, SOLICIT, within } from "./retransmission.ts";
import { type Question, Servers } from "./servers.ts";
import { type Transport, udpTransport } from "./transport.ts";

/** For how long other servers are listened to when one has offered an address. The second of RFC 8415 would be an ADD's. */
const OFFERS_MS = 100;
/** The rest before the second try after a failure; it doubles with each further one. */
const FIRST_REST_MS = 1000;

type Offer = Answer & { readonly grant: Grant };

/**
 * Gets an address and DNS settings by DHCPv6 (RFC 8415, section 18.2), and keeps the address while it can. Its leases'
 * `memory` is all that `start` looks at. The link of a container does not change: a lease that is gone on with is not
 * confirmed (section 18.2.3), but renewed in time.
 */
export class Dhcp6Client implements Source {
  readonly #context: SourceContext;
  readonly #events: SourceEvents;
  readonly #transport: Transport;
  readonly #servers: Servers;
  /** Of the renewal, or of the end of offers. */
  #timer: Timer | undefined;
  #expiry: Timer | undefined;
  #probe: Probe | undefined;
  #binding: Binding | undefined;
  /** One that is probed, and was not told yet. */
  #pending: Binding | undefined;
  #solicitMaxRt: number;
  #failures = 0;
  /** What is wrong; anew with each lease. */
  #log: Log;

  constructor(context: SourceContext, events: SourceEvents, transport = udpTransport(context)) {
    this.#context = context;
    this.#events = events;
    this.#transport = transport;
    this.#servers = new Servers(context, transport);
    this.#log = unrepeated((text) => events.log(text));
    this.#solicitMaxRt = this.#within(SOLICIT).longest;
  }

  start(lease?: Pick<Lease, "memory">): void {
    const binding = lease && bindingOf(lease.memory);
    if (binding === undefined) this.#solicit();
    else this.#hold(binding);
  }

  /** The server is told once: nobody is there to hear its answer, for the interface goes with the lease. */
  release(): void {
    const binding = this.#pending ?? this.#binding;
    this.stop();
    if (binding === undefined) return;
    const { server, address } = binding;
    try {
      this.#servers.tell({ type: MessageType.Release, server, address });
    } catch (error) {
      const text = `cannot release ${address}: ${error instanceof Error ? error.message : error}`;
      this.#context.scheduler.after(0, () => this.#events.log(text));
    }
  }

  stop(): void {
    this.#clear();
    this.#binding = undefined;
  }

  /** Without the random delay of section 18.2.1 before the first one: somebody waits for the address. */
  #solicit(delay = 0): void {
    let best: Offer | undefined;
    const pattern = { ...this.#within(SOLICIT), longest: this.#solicitMaxRt };
    this.#ask({
      type: MessageType.Solicit,
      pattern,
      delay,
      answered: (answer, type) => {
        this.#solicitMaxRt = pattern.longest = answer.solicitMaxRt ?? this.#solicitMaxRt;
        const isOffer = type === MessageType.Advertise;
        if (!isOffer && !(type === MessageType.Reply && answer.rapid)) return;
        if (!isGranted(answer)) this.#log(`no address: ${refusalOf(answer)}`);
        else if (!isOffer) this.#accept(answer);
        else if (answer.preference === 255) this.#take(answer);
        else if (best === undefined) {
          best = answer;
          this.#timer = this.#context.scheduler.after(OFFERS_MS, () => this.#take(best!));
        } else if (answer.preference > best.preference) best = answer;
      },
    });
  }

  #take({ server, grant }: Offer): void {
    this.#timer?.cancel();
    this.#request(server, grant.address);
  }

  #request(server: Uint8Array, address: Ip): void {
    const { timeout } = this.#context.timing;
    this.#ask({
      type: MessageType.Request,
      pattern: this.#within(REQUEST),
      server,
      address,
      until: this.#now() + timeout,
      answered: (answer, type) => {
        if (type !== MessageType.Reply) return;
        const { code } = answer.status;
        if (isGranted(answer)) this.#accept(answer);
        else if (isPatient(code)) this.#log(`${address} is not given yet: ${refusalOf(answer)}`);
        else this.#again(`${address} is not given: ${refusalOf(answer)}`);
      },
      exhausted: () => this.#again(`the server that offered ${address} does not answer any more`),
    });
  }

  #renew(): void {
    this.#extend(MessageType.Renew, this.#binding!.rebindAt, () => this.#rebind());
  }

  #rebind(): void {
    this.#extend(MessageType.Rebind, this.#binding!.expiresAt, () => {});
  }

  #extend(type: number, until: number, exhausted: () => void): void {
    const { address, server } = this.#binding!;
    this.#ask({
      type,
      pattern: this.#within(EXTEND),
      server: type === MessageType.Renew ? server : undefined,
      address,
      until,
      answered: (answer, kind) => {
        if (kind !== MessageType.Reply) return;
        const refusal = refusalOf(answer);
        if (isGranted(answer)) this.#accept(answer);
        else if (answer.takenBack) this.#lose(`the server takes ${address} back`);
        else if (answer.status.code === Status.NotOnLink) this.#lose(`${address} is refused: ${refusal}`);
        else if (answer.status.code === Status.NoBinding) this.#request(answer.server, address);
        else this.#log(`${address} is not extended: ${refusal}`);
      },
      exhausted,
    });
  }

  #accept({ grant, server, dns }: Offer): void {
    const binding = bindingFrom(grant, server, this.#now());
    this.#servers.quiet();
    this.#timer?.cancel();
    if (this.#binding?.address.equals(binding.address)) {
      this.#failures = 0;
      this.#bind(binding, dns);
      return;
    }
    this.#pending = binding;
    this.#probe?.stop();
    this.#probe = this.#transport.probe(binding.address, this.#context.timing.probe, (duplicate) =>
      duplicate ? this.#decline(binding) : this.#bind(binding, dns),
    );
  }

  #bind(binding: Binding, dns: Dns | undefined): void {
    this.#pending = undefined;
    this.#log = unrepeated((text) => this.#events.log(text));
    this.#hold(binding);
    this.#events.bound(leaseOf(binding, dns));
  }

  #hold(binding: Binding): void {
    this.#binding = binding;
    this.#expiry?.cancel();
    this.#timer?.cancel();
    // If both times have passed, the first of these is called first.
    this.#expiry = this.#at(binding.expiresAt, () => this.#lose(`the lease of ${binding.address} has ended`));
    this.#timer = this.#at(binding.renewAt, () => this.#renew());
  }

  #decline({ address, server }: Binding): void {
    const reason = `${address} is in use by another host`;
    const had = this.#binding !== undefined;
    this.stop();
    this.#ask({
      type: MessageType.Decline,
      pattern: this.#within(DECLINE),
      server,
      address,
      answered: (_, type) => {
        if (type === MessageType.Reply) this.#again(reason);
      },
      exhausted: () => this.#again(reason),
    });
    if (had) this.#events.lost(reason);
    else this.#log(reason);
  }

  #lose(reason: string): void {
    this.stop();
    this.#solicit();
    this.#events.lost(reason);
  }

  /** Begins anew; at once after the first failure, then later and later. */
  #again(reason: string): void {
    if (this.#binding !== undefined) {
      this.#lose(reason);
      return;
    }
    this.#clear();
    const rest = this.#failures === 0 ? 0 : FIRST_REST_MS * 2 ** (this.#failures - 1);
    this.#failures++;
    this.#solicit(Math.min(rest, this.#context.timing.resendMax));
    this.#log(reason);
  }

  /** The closures are gone with the question: who has stopped is held by nobody. */
  #ask(question: Omit<Question, "gone" | "log">): void {
    const gone = (reason: string) => {
      this.stop();
      this.#events.gone(reason);
    };
    this.#servers.ask({ ...question, gone, log: this.#log });
  }

  #clear(): void {
    this.#servers.quiet();
    this.#timer?.cancel();
    this.#expiry?.cancel();
    this.#probe?.stop();
    this.#probe = this.#pending = undefined;
  }

  #within(pattern: Pattern): Pattern {
    return within(pattern, this.#context.timing.resendMax);
  }

  #now(): number {
    return this.#context.scheduler.now();
  }

  #at(time: number, callback: () => void): Timer | undefined {
    return Number.isFinite(time) ? this.#context.scheduler.after(time - this.#now(), callback) : undefined;
  }
}

function refusalOf({ status }: Answer): string {
  return status.code === Status.Success ? "there is nothing of use in the answer" : describeStatus(status);
}

function isGranted(answer: Answer): answer is Offer {
  return answer.grant !== undefined;
}

/** Whether the same question may get another answer later (section 18.2.10). We do ask by multicast. */
function isPatient(status: number): boolean {
  return status === Status.Success || status === Status.UnspecFail || status === Status.UseMulticast;
}
