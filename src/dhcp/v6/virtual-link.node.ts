import { parseIp } from "../../address/ip.ts";
import { FakeSystem } from "../../host/fake.ts";
import { Host } from "../../host/host.ts";
import { ContainerInterface } from "../container-interface.ts";
import type { Wish } from "../protocol.ts";
import type { IcmpPacket } from "../ra/icmp.ts";
import type { Lease, Settings, SourceContext, SourceEvents, Timing } from "../source.ts";
import { VirtualScheduler } from "../virtual.node.ts";
import { Ipv6Source, type ipv6Parts } from "./source.ts";

export const LINK_LOCAL = "fe80::1234";

/** What a router says to a solicitation. */
export interface Said {
  readonly icmp: Uint8Array;
  readonly from?: string;
  /** In milliseconds. */
  readonly after?: number;
}

/** A link of which a test says what is on it, and an IPv6 source whose interface is there. */
export class VirtualLink {
  readonly scheduler = new VirtualScheduler();
  /** What was sent and told, each with the milliseconds since the beginning. */
  transcript: string[] = [];
  readonly leases: Lease[] = [];
  /** How each solicitation is answered. */
  routers: readonly Said[] = [];
  /** Addresses of other hosts, and after how many milliseconds these say so. */
  readonly taken = new Map<string, number>();
  /** Whether the interface can send. */
  up = true;
  /** What using the interface throws now. */
  problem: (() => Error) | undefined;
  /** How many sockets are open. */
  opened = 0;
  /** Of the DHCPv6 client that was started last. */
  dhcp: SourceEvents | undefined;
  source: Ipv6Source;
  readonly #context: SourceContext;
  readonly #start = this.scheduler.now();
  #within = false;

  constructor(wish: Partial<Wish>, timing: Partial<Timing> = {}) {
    const host = steadyHost();
    this.#context = {
      host,
      scheduler: this.scheduler,
      target: new ContainerInterface(host, "/run/netns/c", "eth0"),
      id: { containerId: "c", network: "office", ifName: "eth0" },
      wish: {
        ...{ ipv4: "none", ipv6: "auto", request: [], provide: [], broadcast: false, mtu: true },
        ...wish,
      },
      timing: { timeout: 10_000, resendMax: 62_000, probe: 50, ...timing },
    };
    this.source = this.#newSource();
  }

  /** Calls a method of the source. */
  call(method: (source: Ipv6Source) => void): void {
    this.#within = true;
    method(this.source);
    this.#within = false;
  }

  /** The process ends, and another one goes on with what it wrote to disk. */
  restart(): void {
    this.call((source) => source.stop());
    this.source = this.#newSource();
    const lease = this.leases.at(-1)!;
    const memory = JSON.parse(JSON.stringify(lease.memory));
    this.call((source) => source.start({ ...lease, memory }));
  }

  /** What was noted since the last call. */
  noted(): string[] {
    const { transcript } = this;
    this.transcript = [];
    return transcript;
  }

  /** As `noted`, after some time. */
  after(ms: number): string[] {
    this.scheduler.advance(ms);
    return this.noted();
  }

  /** The DHCPv6 server gives this, for a time. */
  gives(settings: Settings, ms = 3_600_000): void {
    const now = this.scheduler.now();
    this.dhcp!.bound({ settings, renewAt: now + ms / 2, expiresAt: now + ms, memory: { server: "0001" } });
  }

  #newSource(): Ipv6Source {
    const events: SourceEvents = {
      bound: (lease) => {
        this.leases.push(lease);
        this.#note(`bound: ${textOf(lease.settings)}`);
      },
      lost: (reason) => this.#note(`lost: ${reason}`),
      gone: (reason) => this.#note(`gone: ${reason}`),
      log: (text) => this.#note(`log: ${text}`),
    };
    return new Ipv6Source(this.#context, events, this.#parts());
  }

  #parts(): typeof ipv6Parts {
    return {
      prepareInterface: () => {
        this.#use();
        this.#note("prepared");
      },
      openIcmpSocket: (_, __, received) => {
        this.#use();
        if (!this.up) return undefined;
        this.opened++;
        return this.#socket(received);
      },
      probeDuplicate: (_, address, windowMs, done) => {
        this.#note(`who has ${address}?`);
        const answered = this.taken.get(`${address}`);
        const is = (duplicate: boolean, ms: number) => this.scheduler.after(ms, () => done(duplicate));
        const timers = answered === undefined || answered > windowMs ? [is(false, windowMs)] : [];
        if (answered !== undefined) timers.push(is(true, answered));
        return {
          stop: () => {
            for (const timer of timers) timer.cancel();
          },
        };
      },
      dhcp: (_, events, stateless) => {
        this.dhcp = events;
        const note = (what: string) => this.#note(`${stateless ? "information" : "DHCPv6"} ${what}`);
        return {
          start: (lease) => note(lease ? `goes on with ${textOf(lease.settings)}` : "asked for"),
          release: () => note("released"),
          stop: () => note("stopped"),
        };
      },
    };
  }

  #socket(received: (packet: IcmpPacket) => void) {
    let closed = false;
    return {
      linkLocal: parseIp(LINK_LOCAL)!,
      mac: new Uint8Array(6),
      mtu: 1500,
      send: () => {
        if (!this.up || this.problem) return false;
        this.#note("routers?");
        for (const { icmp, from = "fe80::1", after = 1 } of this.routers)
          this.scheduler.after(after, () => {
            if (!closed) received({ source: parseIp(from)!, destination: parseIp("ff02::1")!, icmp });
          });
        return true;
      },
      close: () => {
        if (!closed) this.opened--;
        closed = true;
      },
    };
  }

  #use(): void {
    if (this.problem) throw this.problem();
  }

  #note(text: string): void {
    if (this.#within && /^(bound|lost|gone|log):/.test(text)) throw new Error(`told within a call: ${text}`);
    this.transcript.push(`${Math.round(this.scheduler.now() - this.#start)} ${text}`);
  }
}

/** `fd00::1/64; ::/0 via fe80::1; DNS fd00::53; MTU 1400`. */
function textOf({ ips = [], routes = [], dns = {}, mtu }: Settings): string {
  return [
    ips.map(({ address }) => address).join(", "),
    ...routes.map(({ dst, gw }) => `${dst} via ${gw ?? "link"}`),
    ...(dns.nameservers?.length ? [`DNS ${dns.nameservers.join(", ")}`] : []),
    ...(mtu ? [`MTU ${mtu}`] : []),
  ].join("; ");
}

/** A host whose random numbers are the middle of all. */
function steadyHost(): Host {
  const { sys } = new FakeSystem();
  const random = (into: Uint8Array) =>
    into
      .fill(0)
      .fill(0x80, 0, 1)
      .fill(0x80, into.length - 1).length;
  return new Host({ ...sys, random });
}
