import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** Routing by source: what an address sends leaves by its interface. */
export const plugin = definePlugin({
  type: "sbr",
  config,
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    del: () => import("./del.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
