// The commands that a page of docs/runtimes shows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../root.ts";
import { side } from "./runtime-host.ts";

/** What stands between "```sh" and "```", block by block; networks in a version that the plugins under test know. */
export function commandsOf(page: string): string[] {
  const text = readFileSync(join(root, "docs/runtimes", page), "utf8");
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, commands]) => commands!);
  return side === "reference" ? blocks.map((block) => block.replace('"1.1.0"', '"1.0.0"')) : blocks;
}
