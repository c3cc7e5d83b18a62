import { definePlugin } from "../../plugin/define.ts";
import { object } from "../../spec/schema.ts";
import { delInside } from "../inside/del.ts";
import { add } from "./add.ts";

/** An interface that leads nowhere, for addresses that the container is to have whatever becomes of its networks. */
export const plugin = definePlugin({
  type: "dummy",
  config: object({}),
  add,
  del: (request, cleanup) => delInside(request, "dummy", cleanup),
  lazy: {
    check: () => import("./check.ts"),
    status: () => import("./status.ts"),
    gc: () => import("./gc.ts"),
  },
});
