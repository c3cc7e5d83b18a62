import { definePlugin } from "../../plugin/define.ts";
import { delInside } from "../inside/del.ts";
import { add } from "./add.ts";
import { config } from "./config.ts";

/** A tap device: an interface whose other end is a program in the container, as a virtual machine. */
export const plugin = definePlugin({
  type: "tap",
  config,
  add,
  // A tap device is of the kind tun.
  del: (request, cleanup) => delInside(request, "tun", cleanup),
  lazy: {
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
