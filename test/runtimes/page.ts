// The commands that a page of docs/runtimes shows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../root.ts";

/** What stands between "```sh" and "```", block by block. */
export function commandsOf(page: string): string[] {
  const blocks = readFileSync(join(root, "docs/runtimes", page), "utf8").matchAll(/^```sh\n(.*?)^```/gms);
  return [...blocks].map(([, commands]) => commands!);
}
