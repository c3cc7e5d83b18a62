import { damaged } from "../../net/damaged.ts";
import { readMacvlan } from "../../netlink/links/macvlan.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import { checkChild } from "../child/check.ts";
import type { MacvlanConfig } from "./config.ts";

/** Throws if something is not as ADD has left it: the interface, its master and mode, addresses, routes, reservation. */
export function check(request: CheckRequest<MacvlanConfig>): void {
  const wanted = request.config.mode;
  checkChild(request, "macvlan", (link) => {
    const mode = readMacvlan(link)?.mode;
    if (mode !== wanted) throw damaged(`interface ${link.name} is in mode ${mode}, not ${wanted}`);
  });
}
