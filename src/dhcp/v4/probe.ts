import type { Ip } from "../../address/ip.ts";
import type { MacAddress } from "../../address/mac.ts";
import type { Timer, Watch } from "../loop.ts";
import type { SourceContext } from "../source.ts";
import type { Transport } from "./transport.ts";

/** For how long an address that is in use may still turn out to be somebody else's. */
const WATCH_MS = 2_000;

/** Finds out whether another host of the link has an address (RFC 2131, section 2.2; RFC 5227). */
export class AddressProbe {
  readonly address: Ip;
  /** Who has said that he has it. */
  owner: MacAddress | undefined;
  readonly #context: SourceContext;
  readonly #watch: Watch;
  readonly #sentAt: number;
  #timer: Timer | undefined;

  /** Asks at once. Throws as Transport.probe does. */
  constructor(context: SourceContext, transport: Transport, address: Ip, contested: () => void) {
    this.address = address;
    this.#context = context;
    this.#sentAt = context.scheduler.now();
    this.#watch = transport.probe(address, (owner) => {
      this.owner = owner;
      contested();
    });
  }

  /** Milliseconds until silence means that nobody has the address. */
  get left(): number {
    return this.#sentAt + this.#context.timing.probe - this.#context.scheduler.now();
  }

  /** The address is used from now on: listens for a little longer, then stops and calls back. */
  settle(settled: () => void): void {
    this.#timer ??= this.#context.scheduler.after(WATCH_MS, () => {
      this.stop();
      settled();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#watch.stop();
  }
}
