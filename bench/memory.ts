import { callPlugin, configure } from "./cni.ts";
import { type Figure, figureOf, type Side } from "./figure.ts";
import { type Missing, rehearse, type Samples } from "./harness.ts";
import { askVersion } from "./version.ts";
import { makeNamespaces, type World } from "./world.ts";

/** How much memory does a plugin hold at its peak? Of a plugin that runs others, the largest process counts. */
export function memory(world: World): Figure[] {
  const version = (name: "ours" | "reference") => () => askVersion(world, name, world.launcher);
  const [versions, withoutVersion] = peaks(world, version("ours"), version("reference"));
  const [adds, withoutAdd] = peaks(world, attacher(world, "ours", 130), attacher(world, "reference", 131));
  return [
    figureOf("memory of VERSION", "MB", versions, { atMost: 2 }, withoutVersion),
    figureOf("memory of bridge ADD", "MB", adds, { atMost: 3 }, withoutAdd),
  ];
}

/** Peaks in megabytes. Both functions give what the launcher (launcher.c) wrote: the peak in KB in its last line. */
function peaks(world: World, ours: () => string, reference: () => string): [Samples<Side>, Missing] {
  const sides = [
    { name: "ours" as const, step: ours },
    { name: "reference" as const, step: reference },
  ];
  const { able, missing } = rehearse(sides);
  const peak = (step: () => string) => Number(step().trimEnd().split("\n").at(-1)) / 1024;
  return [
    new Map(able.map(({ name, step }) => [name, Array.from({ length: world.runs }, () => peak(step))])),
    missing,
  ];
}

/** Attaches one container to a bridge and detaches it again; gives what the launcher wrote about ADD. */
function attacher(world: World, side: "ours" | "reference", number: number): () => string {
  const { host, scratch, launcher: wrapper } = world;
  const [netns] = makeNamespaces(host, `memory-${side}`, 1);
  const stdin = configure(host, "bridge", number, scratch);
  const call = { host, path: world[side], plugin: "bridge", containerId: "memory", netns: netns!, stdin };
  return () => {
    const stderr = callPlugin({ ...call, command: "ADD", wrapper });
    callPlugin({ ...call, command: "DEL" });
    return stderr;
  };
}
