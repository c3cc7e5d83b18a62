import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { callPlugin, configure } from "./cni.ts";
import { atMost, type Figure, figureOf, type Side } from "./figure.ts";
import { alternate, type Contestant } from "./harness.ts";
import { ratioByPairs } from "./statistics.ts";
import { makeNamespaces, type World } from "./world.ts";

const TAKEN = 50_000;

/** What does an address cost in an empty network, and where 50,000 are taken? */
export function hostLocal(world: World): Figure[] {
  const [netns] = makeNamespaces(world.host, "host-local", 1);
  const taker = (name: Side, number: number, taken: number) =>
    addressTaker(world, name, number, taken, netns!);
  const rounds = Array.from({ length: world.runs }, (_, index) => index + 1);
  const empty = [taker("ours", 140, 0), taker("reference", 141, 0)];
  const full = [taker("ours", 142, TAKEN), taker("reference", 143, TAKEN)];
  // Ours in both networks in turn, for their ratio; the reference's half seconds would stand between two of them.
  const pairs = alternate(
    world.host,
    [
      { ...empty[0]!, name: "empty" },
      { ...full[0]!, name: "full" },
    ],
    rounds,
  );
  const ratio = ratioByPairs(pairs.get("full")!, pairs.get("empty")!);
  const figure = figureOf(
    `host-local ADD, ${TAKEN.toLocaleString("en")} taken`,
    "ms",
    alternate(world.host, full, rounds),
    { faster: 100 },
  );
  return [
    figureOf("host-local ADD, empty network", "ms", alternate(world.host, empty, rounds)),
    { ...figure, targets: [...figure.targets, atMost("≤1.5× the empty network", ratio, 1.5)] },
  ];
}

/** Takes an address in a network where `taken` have owners already, and gives it back off the clock. */
function addressTaker(
  world: World,
  name: Side,
  number: number,
  taken: number,
  netns: string,
): Contestant<Side> {
  const { host, scratch } = world;
  reserve(join(scratch, `bench-${number}`), number, taken);
  const path = world[name as "ours" | "reference"];
  const stdin = configure(host, "bridge", number, scratch);
  const call = (round: number) => ({
    host,
    path,
    plugin: "host-local",
    containerId: `container-${round}`,
    netns,
    stdin,
  });
  const step = (round: number) => void callPlugin({ ...call(round), command: "ADD" });
  const after = (round: number) => void callPlugin({ ...call(round), command: "DEL" });
  step(0);
  after(0);
  return { name, step, after };
}

/** The reservations of host-local, in the format that it shares with the reference. */
function reserve(folder: string, number: number, count: number): void {
  mkdirSync(folder);
  const address = (index: number) => `10.${number}.${index >> 8}.${index & 255}`;
  for (let index = 2; index < count + 2; index++)
    writeFileSync(join(folder, address(index)), `resident-${index}\r\neth0`, { mode: 0o600 });
  if (count > 0) writeFileSync(join(folder, "last_reserved_ip.0"), address(count + 1), { mode: 0o600 });
}
