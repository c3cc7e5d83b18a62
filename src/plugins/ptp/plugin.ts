import { definePlugin } from "../../plugin/define.ts";
import { requireIpam } from "../lease.ts";
import { add } from "./add.ts";
import { config } from "./config.ts";
import { del } from "./del.ts";

/** A container and its host, joined by a veth pair of their own. */
export const plugin = definePlugin({
  type: "ptp",
  config,
  add,
  del,
  status: ({ ipam }) => requireIpam(ipam).status(),
  lazy: {
    check: () => import("./check.ts"),
    gc: () => import("./gc.ts"),
  },
});
