import { definePlugin } from "../../plugin/define.ts";
import { add } from "./add.ts";
import { config } from "./config.ts";
import { del } from "./del.ts";

/** A device of the host, for the container alone. */
export const plugin = definePlugin({
  type: "host-device",
  config,
  add,
  del,
  lazy: {
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
