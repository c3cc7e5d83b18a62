import { damaged } from "../../net/damaged.ts";
import { readVlan } from "../../netlink/links/vlan.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import { checkChild } from "../child/check.ts";
import type { VlanConfig } from "./config.ts";

/** Throws if something is not as ADD has left it: the interface, its master, VLAN and MTU, addresses, routes, reservation. */
export function check(request: CheckRequest<VlanConfig>): void {
  const { vlanId, mtu } = request.config;
  checkChild(request, "vlan", (link) => {
    const id = readVlan(link)?.id;
    if (id !== vlanId) throw damaged(`interface ${link.name} is in VLAN ${id}, not ${vlanId}`);
    if (mtu !== 0 && link.mtu !== mtu)
      throw damaged(`interface ${link.name} has MTU ${link.mtu}, not ${mtu}`);
  });
}
