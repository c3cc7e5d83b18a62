import { callPlugin, configure } from "./cni.ts";
import { type Figure, figureOf, type Side } from "./figure.ts";
import type { Samples } from "./harness.ts";
import { askVersion } from "./version.ts";
import { makeNamespaces, type World } from "./world.ts";

/** How much memory does a plugin hold at its peak? Of a plugin that runs others, the largest process counts. */
export function memory(world: World): Figure[] {
  const [version, add]: [Samples<Side>, Samples<Side>] = [new Map(), new Map()];
  for (const side of ["ours", "reference"] as const) {
    const attach = attacher(world, side, side === "ours" ? 130 : 131);
    const rounds = Array.from({ length: world.runs }, (_, index) => index);
    version.set(
      side,
      rounds.map(() => peak(askVersion(world, side, world.launcher))),
    );
    add.set(
      side,
      rounds.map(() => peak(attach())),
    );
  }
  return [
    figureOf("memory of VERSION", "MB", version, { atMost: 2 }),
    figureOf("memory of bridge ADD", "MB", add, { atMost: 3 }),
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

/** Megabytes, from the last line that the launcher (launcher.c) wrote. */
function peak(stderr: string): number {
  return Number(stderr.trimEnd().split("\n").at(-1)) / 1024;
}
