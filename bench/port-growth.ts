import { atMost, type Figure, figureOf } from "./figure.ts";
import { timed } from "./harness.ts";
import { attacher, type PluginQuestion } from "./plugins.ts";
import { ratioByPairs } from "./statistics.ts";
import { makeNamespaces, type World } from "./world.ts";

/** Ports of somebody else, and how often in turn a port is added without and with them. */
const PRESENT = 1000;
const CHUNK = 5;
/** The container with as many ports as others have in all. */
const RESIDENT = 1;

/** What do a port's ADD and DEL cost beside a thousand others, against the first's? Ours alone. */
export function portGrowth(world: World): Figure[] {
  const number = 148;
  const question: PluginQuestion = { type: "portmap", chained: true, options: (_, index) => portsOf(index) };
  const { attach, detach, prepare } = attacher(world, "ours", question, number);
  const [netns, others] = makeNamespaces(world.host, "growth", 2);
  prepare?.(RESIDENT, others!);
  prepare?.(0, netns!);
  const adds: Record<"few" | "many", number[]> = { few: [], many: [] };
  const dels: Record<"few" | "many", number[]> = { few: [], many: [] };
  const sample = (series: "few" | "many") => {
    for (let i = 0; i < CHUNK; i++) {
      adds[series].push(timed(world.host, () => attach(0, netns!)));
      dels[series].push(timed(world.host, () => detach(0, netns!)));
    }
  };
  attach(0, netns!);
  detach(0, netns!);
  for (let left = world.runs; left > 0; left -= CHUNK) {
    sample("few");
    attach(RESIDENT, others!);
    sample("many");
    detach(RESIDENT, others!);
  }
  return (["ADD", "DEL"] as const).map((verb) => {
    const { few, many } = verb === "ADD" ? adds : dels;
    const figure = figureOf(`portmap, 1 port, ${PRESENT} present ${verb}`, "ms", new Map([["ours", many]]));
    return { ...figure, targets: [atMost("≤1.2× the first", ratioByPairs(many, few), 1.2)] };
  });
}

function portsOf(index: number) {
  const count = index === RESIDENT ? PRESENT : 1;
  const first = index === RESIDENT ? 20_000 : 8000;
  const portMappings = Array.from({ length: count }, (_, i) => ({
    hostPort: first + i,
    containerPort: 80,
    protocol: "tcp",
  }));
  return { runtimeConfig: { portMappings } };
}
