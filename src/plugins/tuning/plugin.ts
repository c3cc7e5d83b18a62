import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** Sysctls and settings of a container's interface, changed behind the plugin that made it. */
export const plugin = definePlugin({
  type: "tuning",
  config,
  lazy: {
    add: () => import("./add.ts"),
    del: () => import("./del.ts"),
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
