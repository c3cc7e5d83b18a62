import { type Cidr, parseCidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import type { Fact } from "../ra/facts.ts";
import type { SourceContext } from "../source.ts";
import { type Probe, probeDuplicate } from "./neighbour-probe.ts";

/** An address as the routers want it. */
export interface Autonomous {
  readonly ip: Ip;
  /** On the scheduler's clock; Infinity without end. */
  readonly until: number;
  /** It is not to be spoken from if there is another one (RFC 4862, section 5.5.4). */
  readonly deprecated: boolean;
}

/** One that was made. */
interface Made {
  address: Autonomous;
  state: "probed" | "free" | "taken";
  probe: Probe | undefined;
}

/** The addresses of an interface that routers have it make (RFC 4862, section 5.5), none that another host has. */
export class AutonomousAddresses {
  readonly #context: SourceContext;
  readonly #probed: (ip: Ip, taken: boolean) => void;
  readonly #probe: typeof probeDuplicate;
  readonly #all = new Map<string, Made>();

  /** `probed` is told when an address has turned out to be free or taken, from callbacks of the scheduler. */
  constructor(
    context: SourceContext,
    probed: (ip: Ip, taken: boolean) => void,
    probe: typeof probeDuplicate = probeDuplicate,
  ) {
    this.#context = context;
    this.#probed = probed;
    this.#probe = probe;
  }

  /** Those that nobody else has. */
  get free(): readonly Autonomous[] {
    return [...this.#all.values()].flatMap(({ state, address }) => (state === "free" ? address : []));
  }

  /** Whether it is yet to be seen of one of them. */
  get probing(): boolean {
    return [...this.#all.values()].some(({ state }) => state === "probed");
  }

  /** Those that the interface has already, by these facts. */
  recall(facts: readonly Fact[], linkLocal: Ip): void {
    for (const address of addressesBy(facts, linkLocal))
      this.#all.set(`${address.ip}`, { address, state: "free", probe: undefined });
  }

  /** Makes the addresses of these facts; the others go. */
  follow(facts: readonly Fact[], linkLocal: Ip): void {
    const wished = new Map(addressesBy(facts, linkLocal).map((address) => [`${address.ip}`, address]));
    for (const [key, { probe }] of this.#all)
      if (!wished.has(key)) {
        probe?.stop();
        this.#all.delete(key);
      }
    for (const [key, address] of wished) {
      const made = this.#all.get(key);
      if (made) made.address = address;
      else this.#make(key, address);
    }
  }

  stop(): void {
    for (const { probe } of this.#all.values()) probe?.stop();
    this.#all.clear();
  }

  #make(key: string, address: Autonomous): void {
    const made: Made = { address, state: "probed", probe: undefined };
    this.#all.set(key, made);
    made.probe = this.#probe(this.#context, address.ip, this.#context.timing.probe, (taken) => {
      made.state = taken ? "taken" : "free";
      this.#probed(address.ip, taken);
    });
  }
}

function addressesBy(facts: readonly Fact[], linkLocal: Ip): Autonomous[] {
  const prefixes = facts.filter(({ kind }) => kind === "address");
  return prefixes.map(({ value, until }) => ({
    ip: autonomousAddress(parseCidr(value)!, linkLocal),
    until,
    deprecated: !facts.some((fact) => fact.kind === "preferred" && fact.value === value),
  }));
}

/** The interface's address in a prefix of 64 bits: the rest is that of its link-local address (section 5.5.3 d). */
export function autonomousAddress(prefix: Cidr, linkLocal: Ip): Ip {
  return new Ip(Uint8Array.from([...prefix.ip.bytes.subarray(0, 8), ...linkLocal.bytes.subarray(8)]));
}
