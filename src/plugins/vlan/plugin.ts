import { definePlugin } from "../../plugin/define.ts";
import { delInside } from "../inside/del.ts";
import { config } from "./config.ts";

/** Containers in a VLAN of the network of a link of the host. */
export const plugin = definePlugin({
  type: "vlan",
  config,
  del: (request, cleanup) => delInside(request, "vlan", cleanup),
  lazy: {
    add: () => import("./add.ts"),
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
