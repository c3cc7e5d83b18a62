import assert from "node:assert/strict";
import { type Ip, parseIp } from "../../address/ip.ts";
import { FakeSystem } from "../../host/fake.ts";
import { Writer } from "../../netlink/codec.ts";
import { ContainerInterface } from "../container-interface.ts";
import type { Lease, SourceContext, SourceEvents, Timing } from "../source.ts";
import { VirtualScheduler } from "../virtual.node.ts";
import { identityOf } from "./duid.ts";
import {
  decodeMessage,
  encodeMessage,
  encodeOptions,
  type Message,
  Option,
  type Options,
} from "./message.ts";
import type { Channel, Transport } from "./transport.ts";

/** A link in a script, for tests of clients: what they send, what they are answered, and what they tell. */
export class ScriptedLink implements Transport {
  readonly scheduler = new VirtualScheduler();
  readonly context: SourceContext;
  readonly sent: { readonly at: number; readonly message: Message }[] = [];
  readonly bound: Lease[] = [];
  readonly lost: string[] = [];
  readonly gone: string[] = [];
  readonly logged: string[] = [];
  /** Sockets that are open. */
  sockets = 0;
  /** Thrown by what is opened next. */
  refusal: Error | undefined;
  canOpen = true;
  canSend = true;
  /** Addresses that other hosts have; those of `late` answer after the probe. */
  readonly taken = new Set<string>();
  readonly late = new Set<string>();
  #received: ((datagram: Uint8Array) => void) | undefined;
  readonly #identity: ReturnType<typeof identityOf>;

  constructor(timing: Partial<Timing> = {}) {
    const { host } = new FakeSystem();
    const id = { containerId: "c1", network: "office", ifName: "eth0" };
    this.#identity = identityOf(host, id);
    this.context = {
      host,
      scheduler: this.scheduler,
      target: new ContainerInterface(host, "/run/netns/c1", "eth0"),
      id,
      wish: { ipv4: "none", ipv6: "dhcp", request: [], provide: [], broadcast: false, mtu: false },
      timing: { timeout: 10_000, resendMax: 64_000, probe: 50, ...timing },
    };
  }

  readonly events: SourceEvents = {
    bound: (lease) => this.bound.push(lease),
    lost: (reason) => this.lost.push(reason),
    gone: (reason) => this.gone.push(reason),
    log: (text) => this.logged.push(text),
  };

  open(received: (datagram: Uint8Array) => void): Channel | undefined {
    if (this.refusal) throw this.refusal;
    if (!this.canOpen) return undefined;
    this.sockets++;
    this.#received = received;
    let closed = false;
    return {
      send: (datagram) => {
        assert.ok(!closed, "a closed socket is used");
        if (!this.canSend) return false;
        this.sent.push({ at: this.scheduler.now(), message: decodeMessage(datagram) });
        return true;
      },
      close: () => {
        assert.ok(!closed, "a socket is closed twice");
        closed = true;
        this.sockets--;
      },
    };
  }

  probe(address: Ip, windowMs: number, done: (duplicate: boolean) => void) {
    let timer = this.scheduler.after(windowMs, () => {
      if (this.late.has(`${address}`)) timer = this.scheduler.after(500, () => done(true));
      done(this.taken.has(`${address}`));
    });
    return { stop: () => timer.cancel() };
  }

  /** The last message. */
  get last(): Message {
    const last = this.sent.at(-1);
    assert.ok(last, "nothing was sent");
    return last.message;
  }

  /** The types of all messages so far. */
  get types(): number[] {
    return this.sent.map(({ message }) => message.type);
  }

  /** Lets the loop turn, without time passing. */
  turn(): void {
    this.scheduler.advance(0);
  }

  /** A server's answer to the last message. */
  answer(
    type: number,
    options: Options,
    { server = SERVER, transactionId = this.last.transactionId } = {},
  ): void {
    const all: Options = [[Option.ClientId, this.#identity.duid], [Option.ServerId, server], ...options];
    this.deliver(encodeMessage({ type, transactionId, options: all }));
  }

  deliver(datagram: Uint8Array): void {
    if (this.sockets > 0) this.#received?.(datagram);
    this.turn();
  }

  /** An association with what a test says. Seconds. */
  association({ t1 = 100, t2 = 200 } = {}, ...options: Options): Options[number] {
    const writer = new Writer().be32(this.#identity.iaid).be32(t1).be32(t2);
    return [Option.Association, writer.raw(encodeOptions(options)).finish()];
  }
}

export const SERVER = Uint8Array.of(0, 3, 0, 1, 9);
export const OTHER_SERVER = Uint8Array.of(0, 3, 0, 1, 8);

/** Seconds. */
export function address(text: string, preferred = 300, valid = 400): Options[number] {
  return [Option.Address, new Writer().raw(parseIp(text)!.bytes).be32(preferred).be32(valid).finish()];
}

export function status(code: number): Options[number] {
  return [Option.StatusCode, Uint8Array.of(0, code)];
}
