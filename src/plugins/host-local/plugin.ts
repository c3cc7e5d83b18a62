import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** Gives addresses out of ranges, and remembers them in files of this host. */
export const plugin = definePlugin({
  type: "host-local",
  sandbox: "none",
  config,
  lazy: {
    add: () => import("./add.ts"),
    del: () => import("./del.ts"),
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
