import { Containerd } from "../test/runtimes/containerd.ts";
import { Cri } from "../test/runtimes/cri.ts";
import { bridged, portmap } from "../test/runtimes/networks.ts";
import { RuntimeHost } from "../test/runtimes/runtime-host.ts";
import { type Figure, figureOf } from "./figure.ts";
import { type Samples, turns } from "./harness.ts";
import type { World } from "./world.ts";

type Plugins = "ours" | "reference";

const SIDES: readonly Plugins[] = ["ours", "reference"];
/** A runtime takes some tenths of a second for a container. */
const MOST_RUNS = 20;
const office = bridged("office", { subnets: ["10.88.0.0/16"] }, portmap);

/** What a runtime does for a container, on one side's plugins: a step each, and what it leaves to be done off the clock. */
interface Steps {
  readonly [title: string]: (round: number) => Promise<unknown>;
}

/** How long does somebody wait for a container, with ours and with the reference's plugins? A machine for each side. */
export async function runtimes({ runs }: World): Promise<Figure[]> {
  const ends: (() => unknown)[] = [];
  const scope = { after: (end: () => unknown) => void ends.push(end) };
  try {
    const sides = new Map<Plugins, Steps>();
    for (const side of SIDES) sides.set(side, await boot(scope, side));
    const titles = Object.keys(sides.get("ours")!);
    const samples = new Map(
      titles.map((title) => [title, new Map(SIDES.map((side) => [side, []])) as Samples<Plugins>]),
    );
    const rounds = Array.from({ length: Math.min(runs, MOST_RUNS) + 1 }, (_, index) => index);
    for (const [side, round] of turns(SIDES, rounds))
      for (const [title, step] of Object.entries(sides.get(side)!)) {
        const start = performance.now();
        await step(round);
        // The first of each is for the caches.
        if (round > 0)
          samples
            .get(title)!
            .get(side)!
            .push(performance.now() - start);
      }
    return titles.map((title) => figureOf(title, "ms", samples.get(title)!));
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function boot(scope: Parameters<typeof RuntimeHost.boot>[0], side: Plugins): Promise<Steps> {
  const host = await RuntimeHost.boot(scope, ["runtimes"], side);
  host.network("10-office", office);
  const containerd = await Containerd.start(scope, host);
  const cri = new Cri(scope, containerd.socket);
  await cri.hasRead(office);
  let pod = "";
  return {
    "ctr run --cni true": (round) => succeed(containerd.run(`c${round}`, "true")),
    "CRI RunPodSandbox, a port": async (round) => {
      pod = await cri.run(`pod${round}`, { portMappings: [{ containerPort: 80, hostPort: 8000 + round }] });
    },
    "CRI StopPodSandbox": () => cri.stop(pod),
  };
}

async function succeed(outcome: ReturnType<RuntimeHost["run"]>): Promise<void> {
  const { code, stderr } = await outcome;
  if (code !== 0) throw new Error(stderr);
}
