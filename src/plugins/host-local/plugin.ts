import { definePlugin } from "../../plugin/define.ts";
import { add } from "./add.ts";
import { config } from "./config.ts";
import { del } from "./del.ts";

/** Gives addresses out of ranges, and remembers them in files of this host. */
export const plugin = definePlugin({
  type: "host-local",
  sandbox: "none",
  config,
  add,
  del,
  lazy: {
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
