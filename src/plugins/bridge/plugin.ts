import { definePlugin } from "../../plugin/define.ts";
import { add } from "./add.ts";
import { config } from "./config.ts";
import { del } from "./del.ts";

/** Containers on a bridge of the host. */
export const plugin = definePlugin({
  type: "bridge",
  config,
  add,
  del,
  lazy: {
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
