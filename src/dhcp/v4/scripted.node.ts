import { Ip, parseIp } from "../../address/ip.ts";
import { type MacAddress, parseMac } from "../../address/mac.ts";
import { FakeSystem } from "../../host/fake.ts";
import { Host } from "../../host/host.ts";
import { ContainerInterface } from "../container-interface.ts";
import type { Wish } from "../protocol.ts";
import type { Lease, SourceContext, SourceEvents, Timing } from "../source.ts";
import { VirtualScheduler } from "../virtual.node.ts";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";
import { MessageType, Option } from "./options.ts";
import { Dhcp4Source } from "./source.ts";
import type { Channel, Peer, Received, Transport } from "./transport.ts";

/** What a server sends. What is not said is that of a server which gives 10.0.0.5/24 for a minute. */
export interface Reply {
  readonly type: number | undefined;
  readonly address?: string;
  readonly server?: string | undefined;
  /** In seconds. */
  readonly lease?: number;
  readonly options?: readonly (readonly [code: number, value: readonly number[]])[];
  /** Milliseconds after the client's message. */
  readonly after?: number;
  /** What differs from what it ought to be. */
  readonly wrong?: Partial<Message>;
  /** What the way does to it. */
  readonly mangle?: (bytes: Uint8Array) => Uint8Array;
}

export const OFFER: Reply = { type: MessageType.Offer };
export const ACK: Reply = { type: MessageType.Ack };
export const NAK: Reply = {
  type: MessageType.Nak,
  options: [[Option.Message, [...Buffer.from("no, never\n")]]],
};

export const SERVER_MAC = parseMac("02:00:00:00:00:01")!;
const CLIENT_MAC = parseMac("02:00:00:00:00:99")!;
const ANY = new Ip(new Uint8Array(4));
const ip = (text: string) => parseIp(text)!;

/** A client whose network is a script: each message that it sends is answered by the next line of it. */
export class Scripted implements Transport {
  readonly scheduler = new VirtualScheduler();
  /** What was sent and told, each with the milliseconds since the beginning. */
  readonly transcript: string[] = [];
  readonly sent: Message[] = [];
  readonly leases: Lease[] = [];
  readonly source: Dhcp4Source;
  /** What opening throws now. */
  problem: (() => Error) | undefined;
  sharesMac = false;
  mtu = 1500;
  /** How many channels and watches are open. */
  opened = 0;
  readonly #start = this.scheduler.now();
  readonly #script: readonly (readonly Reply[])[];
  #watching: { readonly address: Ip; readonly found: (owner: MacAddress) => void } | undefined;
  /** Whether a method of the source is running: nothing may be told then. */
  #within = false;

  constructor(
    script: readonly (Reply | readonly Reply[])[],
    settings: { readonly wish?: Partial<Wish>; readonly timing?: Partial<Timing> } = {},
  ) {
    this.#script = script.map((line) => [line].flat());
    const host = steadyHost();
    const context: SourceContext = {
      host,
      scheduler: this.scheduler,
      target: new ContainerInterface(host, "/run/netns/c", "eth0"),
      id: { containerId: "c", network: "office", ifName: "eth0" },
      wish: {
        ipv4: "dhcp",
        ipv6: "none",
        request: [1, 3],
        provide: [],
        broadcast: false,
        mtu: true,
        ...settings.wish,
      },
      timing: { timeout: 10_000, resendMax: 62_000, probe: 50, ...settings.timing },
    };
    this.source = new Dhcp4Source(context, this.#events(), this);
  }

  /** Calls a method of the source. */
  call(method: (source: Dhcp4Source) => void): void {
    this.#within = true;
    method(this.source);
    this.#within = false;
  }

  /** Another host says that it has the address. */
  claim(address: string): void {
    if (this.#watching?.address.equals(ip(address))) this.#watching.found(parseMac("02:00:00:00:00:66")!);
  }

  open(received: Received, own?: Ip): Channel {
    if (this.problem) throw this.problem();
    this.opened++;
    let closed = false;
    return {
      mac: CLIENT_MAC,
      mtu: this.mtu,
      sharesMac: this.sharesMac,
      send: (payload, to) => {
        const message = decodeMessage(payload);
        if (!message.ciaddr.equals(own ?? ANY)) throw new Error(`${message.ciaddr} is not the interface's`);
        this.#note(describe(message, to));
        this.sent.push(message);
        for (const reply of this.#script[this.sent.length - 1] ?? [])
          this.scheduler.after(reply.after ?? 1, () => {
            if (!closed) received(encodeReply(message, reply), SERVER_MAC);
          });
      },
      close: () => {
        if (!closed) this.opened--;
        closed = true;
      },
    };
  }

  probe(address: Ip, found: (owner: MacAddress) => void): { stop(): void } {
    if (this.problem) throw this.problem();
    this.#note(`who has ${address}?`);
    this.opened++;
    const watching = { address, found };
    this.#watching = watching;
    return {
      stop: () => {
        this.opened--;
        if (this.#watching === watching) this.#watching = undefined;
      },
    };
  }

  #events(): SourceEvents {
    return {
      bound: (lease) => {
        const [{ address }] = lease.settings.ips as [{ address: unknown }];
        this.leases.push(lease);
        this.#note(`bound: ${address}, ends at ${this.#time(lease.expiresAt)}`);
      },
      lost: (reason) => this.#note(`lost: ${reason}`),
      gone: (reason) => this.#note(`gone: ${reason}`),
      log: (text) => this.#note(`log: ${text}`),
    };
  }

  #note(text: string): void {
    const told = /^(bound|lost|gone|log):/.test(text);
    if (told && this.#within) throw new Error(`told within a call: ${text}`);
    this.transcript.push(`${this.#time(this.scheduler.now())} ${text}`);
  }

  #time(at: number): number {
    return Math.round(at - this.#start);
  }
}

/** A host whose random bytes are the middle of all: nothing is more or less than it would be without chance. */
function steadyHost(): Host {
  const { sys } = new FakeSystem();
  let number = 0;
  const random = (into: Uint8Array) => {
    into.set(into.length === 2 ? [0, 0x80] : [1, 2, 3, number++]);
    return into.length;
  };
  return new Host({ ...sys, random });
}

function describe(message: Message, to: Peer | undefined): string {
  const names = Object.entries(MessageType);
  const [name = "?"] = names.find(([, type]) => type === message.options.get(Option.MessageType)?.[0]) ?? [];
  const address = (code: number) => {
    const value = message.options.get(code);
    return value && String(new Ip(value));
  };
  const [requested, server] = [address(Option.RequestedAddress), address(Option.ServerId)];
  const own = message.ciaddr.equals(ANY) ? undefined : message.ciaddr;
  return [
    name.toUpperCase(),
    requested,
    server && `of ${server}`,
    own && `from ${own}`,
    to && `to ${to.ip} by ${to.mac}`,
  ]
    .filter(Boolean)
    .join(" ");
}

function encodeReply(message: Message, reply: Reply): Uint8Array {
  const { type, address = "10.0.0.5", lease = 60, options = [], wrong, mangle } = reply;
  const server = "server" in reply ? reply.server : "10.0.0.1";
  const all = new Map<number, Uint8Array>();
  if (type !== undefined) all.set(Option.MessageType, Uint8Array.of(type));
  if (server !== undefined) all.set(Option.ServerId, ip(server).bytes);
  if (type !== MessageType.Nak) {
    const time = new Uint8Array(4);
    new DataView(time.buffer).setUint32(0, Math.min(lease, 0xffffffff));
    all.set(Option.LeaseTime, time).set(Option.SubnetMask, Uint8Array.of(255, 255, 255, 0));
  }
  for (const [code, value] of options) all.set(code, Uint8Array.from(value));
  const yiaddr = type === MessageType.Nak ? ANY : ip(address);
  const bytes = encodeMessage({ ...message, op: 2, ciaddr: ANY, yiaddr, options: all, ...wrong });
  return mangle ? mangle(bytes) : bytes;
}
