import { definePlugin } from "../../plugin/define.ts";
import { add } from "./add.ts";
import { config, limitsOf } from "./config.ts";
import { del } from "./del.ts";

/** Limits how many bits a second go to and come from a container. */
export const plugin = definePlugin({
  type: "bandwidth",
  config,
  add,
  del,
  status: ({ config }) => void limitsOf(config),
  lazy: {
    check: () => import("./check.ts"),
    gc: () => import("./gc.ts"),
  },
});
