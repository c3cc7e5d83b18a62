import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** Interfaces of a container with routing tables of their own. */
export const plugin = definePlugin({
  type: "vrf",
  config,
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    del: () => import("./del.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
