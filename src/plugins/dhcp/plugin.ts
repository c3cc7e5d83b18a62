import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** Addresses from a DHCP server or router of the network, which a daemon gets and keeps. */
export const plugin = definePlugin({
  type: "dhcp",
  sandbox: "none",
  // The server is told through the container's interface.
  releases: "first",
  introduction: "Its daemon: plumb dhcp daemon -help. The leases that this holds: plumb dhcp leases -help.",
  config,
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    del: () => import("./del.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
