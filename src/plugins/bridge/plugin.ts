import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** Containers on a bridge of the host. */
export const plugin = definePlugin({
  type: "bridge",
  config,
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    del: () => import("./del.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
