import { callPlugin } from "./cni.ts";
import { type Figure, figureOf, type Side } from "./figure.ts";
import { runFloor } from "./floor.ts";
import { alternate, type Contestant, rehearse } from "./harness.ts";
import type { World } from "./world.ts";

/** What does it cost to start a plugin at all? The floor is a C program that only ends. */
export function version(world: World): Figure[] {
  const { host, runs } = world;
  const contestant = (name: "ours" | "reference"): Contestant<Side> => ({
    name,
    step: () => askVersion(world, name),
  });
  const { able, missing } = rehearse([
    contestant("ours"),
    contestant("reference"),
    { name: "floor" as const, step: () => runFloor(world, ["none"]) },
  ]);
  const rounds = Array.from({ length: runs }, (_, index) => index);
  return [figureOf("VERSION", "ms", alternate(host, able, rounds), { faster: 1.6 }, missing)];
}

/** Asks the bridge plugin for its versions; gives what it wrote on stderr. */
export function askVersion(world: World, side: "ours" | "reference", wrapper?: string): string {
  return callPlugin({
    host: world.host,
    path: world[side],
    plugin: "bridge",
    command: "VERSION",
    containerId: "none",
    netns: "none",
    stdin: world.host.encode('{"cniVersion":"1.0.0"}'),
    ...(wrapper !== undefined && { wrapper }),
  });
}
