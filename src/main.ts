import { table } from "./host/engine.ts";
import { Host } from "./host/host.ts";
import { report, runPlugin } from "./plugin/run.ts";
import { findPlugin, pluginTypes } from "./plugins/registry.ts";
import { CniError, ErrorCode } from "./spec/errors.ts";
import { NEWEST_VERSION } from "./spec/versions.ts";

/**
 * Acts by the name it was called with: a plugin's, or `plumb`, whose first argument may be a plugin too. Gives the
 * exit code.
 */
export async function main(): Promise<number> {
  const host = new Host(table());
  const [called = "plumb", ...args] = host.argv();
  const name = called.slice(called.lastIndexOf("/") + 1);
  // Beside the plugin there are its daemon and a list of what that holds.
  const [word, ...rest] = name === "dhcp" ? args : args[0] === "dhcp" ? args.slice(1) : [];
  if (word === "daemon") return (await import("./dhcp/daemon.ts")).main(host, rest);
  if (word === "leases") return (await import("./dhcp/leases.ts")).main(host, rest);
  const plugin = (await findPlugin(name)) ?? (args[0] === undefined ? undefined : await findPlugin(args[0]));
  if (plugin !== undefined) return runPlugin(host, plugin, findPlugin);
  // By the plugin tap, for what it cannot do in its own process.
  if (name === "plumb-tap") return (await import("./net/tap-label.ts")).main(host, args);
  // A runtime calls, by a name that is none of ours: it understands error objects, not help.
  if (args.length === 0 && host.variable("CNI_COMMAND"))
    return report(host, { type: name, cniVersion: NEWEST_VERSION }, unknownPlugin(name));
  const cli = await import("./cli/main.ts");
  return cli.main(host, args);
}

function unknownPlugin(name: string): CniError {
  return new CniError(
    ErrorCode.InvalidConfig,
    `plumb has no plugin "${name}"`,
    `The name by which it is called says which plugin it is: ${pluginTypes.join(", ")}.`,
  );
}
