import { damaged } from "../../net/damaged.ts";
import { readIpvlan } from "../../netlink/links/ipvlan.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import { checkChild } from "../child/check.ts";
import type { IpvlanConfig } from "./config.ts";

/** Throws if something is not as ADD has left it: the interface, its master and mode, addresses, routes, reservation. */
export function check(request: CheckRequest<IpvlanConfig>): void {
  const wanted = request.config.mode;
  checkChild(request, "ipvlan", (link) => {
    const mode = readIpvlan(link)?.mode;
    if (mode !== wanted)
      throw damaged(
        `interface ${link.name} is in mode ${mode}, not ${wanted}`,
        "The mode is the master's: that of the last ADD on it is everybody's.",
      );
  });
}
