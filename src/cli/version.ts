import { PLUMB_VERSION } from "../log/version.ts";
import { pluginTypes } from "../plugins/registry.ts";
import { VERSIONS } from "../spec/versions.ts";
import { takeOperands } from "./arguments.ts";
import type { Command } from "./command.ts";

export const command: Command = {
  usage: "version [OPTION...]",
  about:
    "Shows the version of plumb, the versions of the CNI specification that it speaks\nand the plugins that it is.",
  options: {},

  async run(host, args) {
    takeOperands(args);
    const all = { version: PLUMB_VERSION, cniVersions: VERSIONS, plugins: pluginTypes };
    host.stdout(args.has("json") ? `${JSON.stringify(all, null, 4)}\n` : versionText(all));
    return 0;
  },
};

export function versionText(all: {
  readonly version: string;
  readonly cniVersions: readonly string[];
  readonly plugins: readonly string[];
}): string {
  return `plumb ${all.version}\nCNI ${all.cniVersions.join(", ")}\nplugins ${all.plugins.join(", ")}\n`;
}
