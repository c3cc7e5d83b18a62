import type { Host } from "../../host/host.ts";
import { hasIptables, hasLegacyTable } from "../../net/iptables/programs.ts";
import type { Namespace } from "../../net/namespace.ts";
import { countUses } from "../../netlink/nftables/chain.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import type { Call } from "../../plugin/types.ts";
import type { FirewallConfig } from "./config.ts";

type Backend = NonNullable<FirewallConfig["backend"]>;

const SYSTEM_BUS = "/run/dbus/system_bus_socket";

/**
 * The backend that the configuration names; else firewalld where it runs; else iptables where it has a chain FORWARD,
 * because what that drops, no accept in another table could save; else nftables.
 */
export async function chooseBackend({ config, host, hostNetns }: Call<FirewallConfig>): Promise<Backend> {
  if (config.backend !== undefined) return config.backend;
  if (hasSystemBus(host)) {
    const { isFirewalldRunning } = await import("../../net/firewall/firewalld.ts");
    if (isFirewalldRunning(host)) return "firewalld";
  }
  return usesIptables(hostNetns) ? "iptables" : "nftables";
}

/** Whether it is worth while to look for firewalld. */
export function hasSystemBus(host: Host): boolean {
  return host.variable("DBUS_SYSTEM_BUS_ADDRESS") !== undefined || host.statIfAny(SYSTEM_BUS) !== undefined;
}

/** Whether packets of this host pass a chain FORWARD of iptables, which is installed. */
function usesIptables(netns: Namespace): boolean {
  const { host } = netns;
  let found = hasLegacyTable(host, 4, "filter") || hasLegacyTable(host, 6, "filter");
  whereNftables(netns, (netfilter) => {
    for (const family of ["ip", "ip6"] as const) {
      const forward = { table: { family, name: "filter" }, name: "FORWARD" };
      found ||= netfilter.query(countUses(forward)) !== undefined;
    }
  });
  return found && hasIptables(host, 4);
}
