import type { Ip } from "../../address/ip.ts";
import { InterfaceGone } from "../container-interface.ts";
import { errorLine } from "../failure.ts";
import { type Log, unrepeated } from "../log.ts";
import type { Timer } from "../loop.ts";
import { type Fact, factsOf, withNews } from "../ra/facts.ts";
import { openIcmpSocket } from "../ra/icmp-socket.ts";
import type { Advertisement } from "../ra/message.ts";
import { prepareInterface } from "../ra/prepare.ts";
import { type Heard, RouterSolicitor } from "../ra/solicitor.ts";
import type { Lease, Settings, Source, SourceContext, SourceEvents } from "../source.ts";
import { AutonomousAddresses } from "./autonomous.ts";
import { Dhcp6Client } from "./client.ts";
import { Dhcp6Information } from "./information.ts";
import { memoryJson, readMemory } from "./memory.ts";
import { probeDuplicate } from "./neighbour-probe.ts";
import { mergedSettings } from "./settings.ts";

/** How long the rest is waited for when there is an address: routers beside DHCPv6, DHCPv6 beside routers. */
const REST_MS = 3000;
/** How soon, and how late, routers are asked again. */
const SHORTEST_REFRESH_MS = 4000;
const LONGEST_REFRESH_MS = 600_000;
/** As long as there is no address. */
const SEEKING_REFRESH_MS = 10_000;
/** Where the link cannot be prepared. */
const RETRY_MS = 1000;

/** What the source is made of; tests put others in their places. */
export const ipv6Parts = {
  prepareInterface,
  openIcmpSocket,
  probeDuplicate,
  dhcp: (context: SourceContext, events: SourceEvents, stateless: boolean): Source =>
    stateless ? new Dhcp6Information(context, events) : new Dhcp6Client(context, events),
};

/**
 * Addresses, routes and DNS for IPv6, as the wish says: from router advertisements alone ("slaac"), with addresses
 * from DHCPv6 ("dhcp"), or as the routers want it ("auto"). What both say makes one lease.
 */
export class Ipv6Source implements Source {
  readonly #context: SourceContext;
  readonly #events: SourceEvents;
  readonly #parts: typeof ipv6Parts;
  readonly #solicitor: RouterSolicitor;
  readonly #autonomous: AutonomousAddresses;
  #facts: readonly Fact[] = [];
  #linkLocal: Ip | undefined;
  /** The link's MTU before routers lowered it. */
  #mtuLimit: number | undefined;
  /** Of DHCPv6, where it is asked; without a state it asks for DNS alone. */
  #client: Source | undefined;
  #stateless = false;
  /** What DHCPv6 gave. */
  #leased: Lease | undefined;
  /** A router has said something. */
  #heard = false;
  /** There is a lease that was told. */
  #bound = false;
  /** What is missing has been waited for. */
  #waited = false;
  /** What is wrong. */
  readonly #say: Log;
  #retry: Timer | undefined;
  #rest: Timer | undefined;
  /** When routers are asked again. */
  #refreshAt = Number.POSITIVE_INFINITY;
  #refresh: Timer | undefined;
  /** How long routers that do not answer are left alone; 0: they do. */
  #silence = 0;
  #expiry: Timer | undefined;

  constructor(context: SourceContext, events: SourceEvents, parts = ipv6Parts) {
    this.#context = context;
    this.#events = events;
    this.#say = unrepeated((text) => events.log(text));
    this.#parts = parts;
    const solicitorEvents = {
      advertised: (advertisement: Advertisement, heard: Heard) => this.#advertised(advertisement, heard),
      silent: () => this.#silent(),
      gone: (reason: string) => this.#gone(reason),
      log: (text: string) => events.log(text),
    };
    this.#solicitor = new RouterSolicitor(context, solicitorEvents, parts.openIcmpSocket);
    const probed = (ip: Ip, taken: boolean) => this.#probed(ip, taken);
    this.#autonomous = new AutonomousAddresses(context, probed, parts.probeDuplicate);
  }

  start(lease?: Lease): void {
    this.stop();
    if (lease) this.#recall(lease);
    this.#retry = this.#context.scheduler.after(0, () => (lease ? this.#resume() : this.#begin()));
  }

  release(): void {
    this.#client?.release();
    this.#client = undefined;
    this.stop();
  }

  stop(): void {
    for (const timer of [this.#retry, this.#rest, this.#refresh, this.#expiry]) timer?.cancel();
    this.#retry = this.#rest = this.#refresh = this.#expiry = undefined;
    this.#solicitor.stop();
    this.#client?.stop();
    this.#client = undefined;
    this.#autonomous.stop();
  }

  #begin(): void {
    try {
      this.#parts.prepareInterface(this.#context.target);
    } catch (error) {
      if (error instanceof InterfaceGone) {
        this.#gone(error.message);
        return;
      }
      this.#say(`cannot prepare the interface for IPv6: ${errorLine(error)}`);
      this.#retry = this.#context.scheduler.after(RETRY_MS, () => this.#begin());
      return;
    }
    if (this.#mode === "dhcp") this.#askDhcp(false);
    this.#solicitor.start();
  }

  #recall({ memory }: Lease): void {
    const { linkLocal, mtuLimit, facts, leased } = readMemory(memory);
    this.#linkLocal = linkLocal;
    this.#mtuLimit = mtuLimit;
    this.#facts = facts;
    this.#leased = leased && leased.expiresAt > this.#context.scheduler.now() ? leased : undefined;
    this.#bound = true;
    if (linkLocal && this.#mode !== "dhcp") this.#autonomous.recall(facts, linkLocal);
  }

  #resume(): void {
    const leased = this.#leased;
    const stateless = this.#mode === "auto" && !leased?.settings.ips?.length;
    if (this.#mode === "dhcp" || leased) this.#askDhcp(stateless, leased);
    this.#update();
  }

  get #mode(): "dhcp" | "slaac" | "auto" | "none" {
    return this.#context.wish.ipv6;
  }

  /** Asks a DHCPv6 server for an address, or (`stateless`) for other settings alone. */
  #askDhcp(stateless: boolean, lease?: Lease): void {
    if (this.#client && (stateless || !this.#stateless)) return;
    this.#client?.stop();
    this.#stateless = stateless;
    const events: SourceEvents = {
      bound: (leased) => {
        this.#leased = leased;
        this.#update();
      },
      lost: (reason) => {
        this.#leased = undefined;
        this.#update(reason);
      },
      gone: (reason) => this.#gone(reason),
      log: (text) => this.#events.log(text),
    };
    this.#client = this.#parts.dhcp(this.#context, events, stateless);
    this.#client.start(lease);
  }

  #advertised(advertisement: Advertisement, { router, linkLocal, mtu }: Heard): void {
    const now = this.#context.scheduler.now();
    this.#heard = true;
    this.#silence = 0;
    this.#refreshAt = Number.POSITIVE_INFINITY;
    this.#linkLocal = linkLocal;
    this.#mtuLimit ??= mtu;
    this.#facts = withNews(this.#facts, factsOf(advertisement, router, now), now);
    const { managed, other } = advertisement;
    if (this.#mode === "auto" && (managed || other)) this.#askDhcp(!managed);
    if (this.#mode !== "dhcp" && !this.#client && !this.#facts.some(({ kind }) => kind === "address"))
      this.#say(`router ${router} advertises no prefix to make an address of`);
    this.#update();
  }

  #silent(): void {
    if (this.#facts.length === 0 && this.#mode !== "dhcp") this.#say("no router answers");
    if (this.#bound) this.#askLater();
  }

  /** No socket is kept for routers that may never answer: they are asked again, less and less often. */
  #askLater(): void {
    this.#solicitor.stop();
    this.#silence = Math.min(Math.max(this.#silence * 2, SHORTEST_REFRESH_MS), LONGEST_REFRESH_MS);
    this.#refreshAt = Number.POSITIVE_INFINITY;
    this.#schedule();
  }

  /** Tells what has changed, when it is time for that. `reason`: why there may be less than before. */
  #update(reason = "no address is valid any more"): void {
    this.#facts = withNews(this.#facts, [], this.#context.scheduler.now());
    if (this.#linkLocal && this.#mode !== "dhcp") this.#autonomous.follow(this.#facts, this.#linkLocal);
    const settings = this.#settings();
    const leasedIps = this.#leased?.settings.ips ?? [];
    const addresses = this.#mode === "dhcp" ? leasedIps : (settings.ips ?? []);
    const had = this.#bound;
    this.#bound = addresses.length > 0 && (had || this.#waited || this.#missing() === "");
    // While there was none, routers were to be asked soon.
    if (this.#bound && !had) this.#refreshAt = Number.POSITIVE_INFINITY;
    this.#schedule();
    if (this.#bound) this.#tell(settings);
    else if (had) this.#lost(reason);
    else if (addresses.length > 0)
      this.#rest ??= this.#context.scheduler.after(REST_MS, () => this.#waitNoLonger());
  }

  #probed(ip: Ip, taken: boolean): void {
    const reason = `${ip} is in use by another host`;
    if (taken) this.#events.log(reason);
    this.#update(reason);
  }

  #settings(): Settings {
    const { target, wish } = this.#context;
    return mergedSettings({
      facts: this.#facts,
      autonomous: this.#autonomous.free,
      leased: this.#leased?.settings,
      ifName: target.name,
      priority: wish.priority,
      mtuLimit: wish.mtu ? this.#mtuLimit : undefined,
    });
  }

  /** What may still come; "" if nothing is awaited. */
  #missing(): string {
    if (this.#autonomous.probing) return "the end of the search for duplicates";
    if (this.#mode === "dhcp") return this.#heard ? "" : "a router advertisement";
    return this.#client && !this.#leased ? "an answer of a DHCPv6 server" : "";
  }

  #waitNoLonger(): void {
    this.#waited = true;
    if (this.#facts.length === 0) this.#askLater();
    this.#events.log(`${this.#missing()} has not come: going on without`);
    this.#update();
  }

  #tell(settings: Settings): void {
    this.#rest?.cancel();
    this.#rest = undefined;
    const leased = this.#leased;
    const ends = this.#autonomous.free.map(({ until }) => until);
    if (leased?.settings.ips?.length) ends.push(leased.expiresAt);
    this.#events.bound({
      settings,
      renewAt: Math.min(this.#refreshAt, leased?.renewAt ?? Number.POSITIVE_INFINITY),
      expiresAt: Math.max(...ends),
      memory: memoryJson({
        linkLocal: this.#linkLocal,
        mtuLimit: this.#mtuLimit,
        facts: this.#facts,
        leased,
      }),
    });
  }

  #lost(reason: string): void {
    this.#rest?.cancel();
    this.#rest = undefined;
    this.#waited = false;
    this.#events.lost(reason);
    this.#solicitor.start();
  }

  /** When the next fact is over, and when routers are asked again. */
  #schedule(): void {
    const { scheduler } = this.#context;
    this.#expiry?.cancel();
    this.#refresh?.cancel();
    const now = scheduler.now();
    const left = Math.min(...this.#facts.map(({ until }) => until)) - now;
    this.#expiry = Number.isFinite(left) ? scheduler.after(left, () => this.#update()) : undefined;
    const longest = this.#silence || (this.#bound ? LONGEST_REFRESH_MS : SEEKING_REFRESH_MS);
    const pause = Math.min(Math.max(left / 2, SHORTEST_REFRESH_MS), longest);
    // What DHCPv6 brings meanwhile does not put it off.
    this.#refreshAt = Math.min(this.#refreshAt, now + pause);
    this.#refresh = scheduler.after(this.#refreshAt - now, () => {
      this.#refreshAt = Number.POSITIVE_INFINITY;
      this.#solicitor.ask();
      this.#schedule();
    });
  }

  #gone(reason: string): void {
    this.stop();
    this.#events.gone(reason);
  }
}
