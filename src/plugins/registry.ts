import type { Plugin } from "../plugin/define.ts";

/** The plugins of this executable: type and module. A module is loaded when its plugin is called. */
const modules: Readonly<Record<string, () => Promise<{ plugin: Plugin }>>> = {
  bridge: () => import("./bridge/plugin.ts"),
  "host-local": () => import("./host-local/plugin.ts"),
  loopback: () => import("./loopback.ts"),
  ptp: () => import("./ptp/plugin.ts"),
  static: () => import("./static.ts"),
};

/** Their types, for help texts. */
export const pluginTypes = Object.keys(modules);

/** The plugin of that type, undefined if there is none of ours. */
export function findPlugin(type: string): Promise<Plugin> | undefined {
  return Object.hasOwn(modules, type) ? modules[type]!().then(({ plugin }) => plugin) : undefined;
}
