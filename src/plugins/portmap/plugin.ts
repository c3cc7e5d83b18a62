import { definePlugin } from "../../plugin/define.ts";
import { config } from "./config.ts";

/** Ports of the host that lead to containers. */
export const plugin = definePlugin({
  type: "portmap",
  config,
  lazy: {
    add: async (request) => (await import("./add.ts")).loadAdd(request),
    check: () => import("./check.ts"),
    del: () => import("./del.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
