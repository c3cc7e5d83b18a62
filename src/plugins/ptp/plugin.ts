import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** A container and its host, joined by a veth pair of their own. */
export const plugin = definePlugin({
  type: "ptp",
  config,
  status: ({ ipam }) => ipam?.status(),
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    del: () => import("./del.ts"),
    gc: () => import("./gc.ts"),
  },
});
