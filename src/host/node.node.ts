import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Host, vector } from "./host.ts";
import type { Sys } from "./sys.ts";

/** The table of system calls from the addon dist/host.node. */
export function table(): Sys {
  // The same file is reached from src/host and, compiled, from dist/node/host.
  const here = fileURLToPath(import.meta.url);
  const addon = here.includes("/dist/node/") ? "../../host.node" : "../../dist/host.node";
  const native = createRequire(import.meta.url)(addon) as Sys;
  return { ...native, argv: () => vector(process.argv.slice(1)) };
}

/** A host in a process of Node. Its calls are synchronous. */
export function openHost(): Host {
  return new Host(table());
}
