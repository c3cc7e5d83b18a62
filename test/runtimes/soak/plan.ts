// What is to happen in a soak: a life for each container, of a kind, some of them hurt. All of it comes of the seed.
import { chainOf, type Network } from "./networks.ts";
import { Random } from "./random.ts";

export interface Kind {
  readonly name: string;
  readonly runtime: "cri" | "podman";
  /** In the order of eth0, eth1. */
  readonly networks: readonly Network[];
  /** Published, as the port of the life's number. */
  readonly protocols: readonly ("tcp" | "udp")[];
  readonly limited?: boolean;
  /** With an address and a MAC address of its own choice. */
  readonly fixed?: boolean;
}

export const kinds: readonly Kind[] = [
  { name: "pod", runtime: "cri", networks: ["pods", "back"], protocols: [] },
  { name: "pod with ports", runtime: "cri", networks: ["pods", "back"], protocols: ["tcp", "udp"] },
  { name: "limited pod", runtime: "cri", networks: ["pods", "back"], protocols: ["tcp"], limited: true },
  { name: "container", runtime: "podman", networks: ["web"], protocols: ["tcp"] },
  { name: "fixed container", runtime: "podman", networks: ["web"], protocols: ["tcp"], fixed: true },
  { name: "container beside pods", runtime: "podman", networks: ["pods"], protocols: ["tcp", "udp"] },
  { name: "container of two networks", runtime: "podman", networks: ["pods", "back"], protocols: ["tcp"] },
];

/** Whom a SIGKILL hits in the middle. `keeper`: the container and who watches it, a shim or conmon. */
export const hurts = [
  "plugin in ADD",
  "plugin in DEL",
  "runtime in ADD",
  "runtime in DEL",
  "container",
  "keeper",
] as const;
export type Hurt = (typeof hurts)[number];

export interface Life {
  readonly number: number;
  readonly name: string;
  readonly kind: Kind;
  readonly hostPort: number;
  readonly hurt?: Hurt | undefined;
  /** Which plugin it is that is hurt, or in whose call the runtime is. */
  readonly plugin: string;
  /** How far it is by then: at least 0, less than 1. */
  readonly progress: number;
}

const FIRST_PORT = 20_000;
/** More than there are lives in a soak. */
const ELSEWHERE = 2000;

/** The first lives are for looking at a kind alone: they have low numbers and are not hurt. */
export function sample(kind: Kind, number: number): Life {
  return lifeOf(kind, number, new Random(0));
}

/** `count` lives, a tenth of them hurt, all hurts in turn. */
export function lives(seed: number, count: number): Life[] {
  const random = new Random(seed);
  const numbers = Array.from({ length: count }, (_, index) => index);
  const hurtNumbers = random.shuffled(numbers).slice(0, Math.round(count / 10));
  const offset = random.below(hurts.length);
  const hurtOf = new Map(
    hurtNumbers.map((number, index) => [number, hurts[(index + offset) % hurts.length]!] as const),
  );
  return numbers.map((number) => lifeOf(random.pick(kinds), 100 + number, random, hurtOf.get(number)));
}

function lifeOf(kind: Kind, number: number, random: Random, hurt?: Hurt): Life {
  const plugin = random.pick(chainOf(random.pick(kind.networks)));
  const progress = random.next();
  return { number, name: `soak-${number}`, kind, hostPort: FIRST_PORT + number, hurt, plugin, progress };
}

/** The same life with a port and an address that nobody had. */
export function elsewhere(life: Life): Life {
  const number = life.number + ELSEWHERE;
  return { ...life, number, hostPort: FIRST_PORT + number };
}

/** The address and the MAC address of a fixed container. */
export function fixture({ number }: Life): { ip: string; mac: string } {
  const [high, low] = [number >> 8, number & 0xff];
  const hex = (byte: number) => byte.toString(16).padStart(2, "0");
  return { ip: `10.92.${200 + high}.${low}`, mac: `02:00:00:00:${hex(high)}:${hex(low)}` };
}
