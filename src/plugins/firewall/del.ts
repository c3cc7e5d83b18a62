import { type Distrust, removeFromFirewall } from "../../net/firewall/remove.ts";
import type { Cleanup, DelRequest } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";

/** Takes away what is there for the container, whichever backend made it. Chains and tables stay. */
export function remove(request: DelRequest<FirewallConfig>, cleanup: Cleanup, distrust: Distrust): void {
  const { hostNetns, prevResult } = request;
  const addresses = (prevResult?.ips ?? []).map(({ address }) => address);
  cleanup.step("remove the firewall's rules", () =>
    removeFromFirewall(hostNetns, request, addresses, distrust),
  );
}
