import { definePlugin } from "../../plugin/define.ts";
import { delInside } from "../inside/del.ts";
import { config } from "./config.ts";

/** Containers on the network of a link of the host, each with a MAC address of its own. */
export const plugin = definePlugin({
  type: "macvlan",
  config,
  del: (request, cleanup) => delInside(request, "macvlan", cleanup),
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
