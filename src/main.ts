import { table } from "./host/engine.ts";
import { Host } from "./host/host.ts";
import { runPlugin } from "./plugin/run.ts";
import { findPlugin } from "./plugins/registry.ts";

/**
 * Acts by the name it was called with: a plugin's, or `plumb`, whose first argument may be a plugin too. Gives the
 * exit code.
 */
export async function main(): Promise<number> {
  const host = new Host(table());
  const [called = "plumb", ...args] = host.argv();
  const name = called.slice(called.lastIndexOf("/") + 1);
  const plugin = (await findPlugin(name)) ?? (args[0] === undefined ? undefined : await findPlugin(args[0]));
  if (plugin !== undefined) return runPlugin(host, plugin, findPlugin);
  const cli = await import("./cli/main.ts");
  return cli.main(host, args);
}
