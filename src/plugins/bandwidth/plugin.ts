import { definePlugin } from "../../plugin/define.ts";
import { add } from "./add.ts";
import { config } from "./config.ts";
import { del } from "./del.ts";

/** Limits how many bits a second go to and come from a container. */
export const plugin = definePlugin({
  type: "bandwidth",
  config,
  add,
  del,
  lazy: {
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
