import { definePlugin } from "../../plugin/define.ts";
import { delInside } from "../inside/del.ts";
import { config } from "./config.ts";

/** Containers on the network of a link of the host, with its MAC address. */
export const plugin = definePlugin({
  type: "ipvlan",
  config,
  del: (request, cleanup) => delInside(request, "ipvlan", cleanup),
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
