import type { Plugin } from "../plugin/define.ts";
import { plugin as bridge } from "./bridge/plugin.ts";
import { plugin as hostLocal } from "./host-local/plugin.ts";
import { plugin as loopback } from "./loopback.ts";
import { plugin as ptp } from "./ptp/plugin.ts";

/** The plugins that most calls are for: the executable has them loaded already. */
const loaded: Readonly<Record<string, Plugin>> = { bridge, "host-local": hostLocal, loopback, ptp };

/** The others, each loaded when it is called. */
const others: Readonly<Record<string, () => Promise<{ plugin: Plugin }>>> = {
  bandwidth: () => import("./bandwidth/plugin.ts"),
  dhcp: () => import("./dhcp/plugin.ts"),
  dummy: () => import("./dummy/plugin.ts"),
  firewall: () => import("./firewall/plugin.ts"),
  "host-device": () => import("./host-device/plugin.ts"),
  ipvlan: () => import("./ipvlan/plugin.ts"),
  macvlan: () => import("./macvlan/plugin.ts"),
  portmap: () => import("./portmap/plugin.ts"),
  sbr: () => import("./sbr/plugin.ts"),
  static: () => import("./static.ts"),
  tap: () => import("./tap/plugin.ts"),
  tuning: () => import("./tuning/plugin.ts"),
  vlan: () => import("./vlan/plugin.ts"),
  vrf: () => import("./vrf/plugin.ts"),
};

/** The types of all plugins of this executable, for help texts. */
export const pluginTypes = [...Object.keys(loaded), ...Object.keys(others)].sort();

/** The plugin of that type, undefined if there is none of ours. */
export async function findPlugin(type: string): Promise<Plugin | undefined> {
  if (Object.hasOwn(loaded, type)) return loaded[type];
  return Object.hasOwn(others, type) ? (await others[type]!()).plugin : undefined;
}
