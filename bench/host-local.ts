import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { callPlugin, configure } from "./cni.ts";
import { atMost, type Figure, figureOf, type Target } from "./figure.ts";
import { alternate, type Contestant, rehearse } from "./harness.ts";
import { ratioByPairs } from "./statistics.ts";
import { makeNamespaces, type World } from "./world.ts";

type Plugins = "ours" | "reference";

const TAKEN = 50_000;

/** What does an address cost in an empty network, and where 50,000 are taken? */
export function hostLocal(world: World): Figure[] {
  const [netns] = makeNamespaces(world.host, "host-local", 1);
  const taker = (name: Plugins, number: number, taken: number) =>
    addressTaker(world, name, number, taken, netns!);
  const empty = rehearse([taker("ours", 140, 0), taker("reference", 141, 0)]);
  const full = rehearse([taker("ours", 142, TAKEN), taker("reference", 143, TAKEN)]);
  const rounds = Array.from({ length: world.runs }, (_, index) => index);
  const samples = {
    empty: alternate(world.host, empty.able, rounds),
    full: alternate(world.host, full.able, rounds),
  };
  const figure = figureOf(
    `host-local ADD, ${TAKEN} taken`,
    "ms",
    samples.full,
    { faster: 100 },
    full.missing,
  );
  return [
    figureOf("host-local ADD, empty network", "ms", samples.empty, {}, empty.missing),
    { ...figure, targets: [...figure.targets, ...growth(world, empty.able, full.able, rounds)] },
  ];
}

/** Ours in both networks in turn: beside the reference's half seconds, the one would find colder caches than the other. */
function growth(world: World, empty: Taker[], full: Taker[], rounds: number[]): Target[] {
  const ours = (takers: Taker[]) => takers.find(({ name }) => name === "ours");
  const [small, large] = [ours(empty), ours(full)];
  if (!small || !large) return [];
  const samples = alternate(
    world.host,
    [
      { ...small, name: "small" },
      { ...large, name: "large" },
    ],
    rounds,
  );
  return [atMost("≤1.5× the empty network", ratioByPairs(samples.get("large")!, samples.get("small")!), 1.5)];
}

type Taker = Contestant<Plugins>;

/** Takes an address in a network where `taken` have owners already, and gives it back off the clock. */
function addressTaker(world: World, name: Plugins, number: number, taken: number, netns: string): Taker {
  const { host, scratch } = world;
  reserve(join(scratch, `bench-${number}`), number, taken);
  const stdin = configure(host, "bridge", number, scratch);
  const call = (command: "ADD" | "DEL", round: number) =>
    callPlugin({
      host,
      path: world[name],
      plugin: "host-local",
      command,
      containerId: `container-${round}`,
      netns,
      stdin,
    });
  return { name, step: (round) => call("ADD", round), after: (round) => call("DEL", round) };
}

/** The reservations of host-local, in the format that it shares with the reference. */
function reserve(folder: string, number: number, count: number): void {
  mkdirSync(folder);
  const address = (index: number) => `10.${number}.${index >> 8}.${index & 255}`;
  for (let index = 2; index < count + 2; index++)
    writeFileSync(join(folder, address(index)), `resident-${index}\r\neth0`, { mode: 0o600 });
  if (count > 0) writeFileSync(join(folder, "last_reserved_ip.0"), address(count + 1), { mode: 0o600 });
}
