import type { Host } from "../../host/host.ts";
import type { Distrust } from "../../net/firewall/remove.ts";
import { definePlugin } from "../../plugin/define.ts";
import { chooseBackend, hasSystemBus } from "./backend.ts";
import { config, type FirewallConfig } from "./config.ts";
import { zoneOf } from "./zone.ts";

/** Lets a container's packets pass the host's firewall. Only the backend that is used is loaded. */
export const plugin = definePlugin({
  type: "firewall",
  config,
  lazy: {
    async add(request) {
      switch (await chooseBackend(request)) {
        case "firewalld":
          return (await import("./firewalld.ts")).loadAdd(request);
        case "iptables":
          return import("./iptables.ts");
        case "nftables":
          return (await import("./nftables.ts")).loadAdd(request);
      }
    },
    async check(request) {
      const backend = await chooseBackend(request);
      if (backend === "firewalld") return import("./check-firewalld.ts");
      const { byIptables, byNftables } = await import("./check.ts");
      return backend === "iptables" ? byIptables : byNftables;
    },
    async del({ host, config }) {
      const distrust = await loadDistrust(host, config);
      const { remove } = await import("./del.ts");
      return { del: (request, cleanup) => remove(request, cleanup, distrust) };
    },
    async gc({ host, config }) {
      const distrust = await loadDistrust(host, config);
      const { collect } = await import("./gc.ts");
      return { gc: (request, cleanup) => collect(request, cleanup, distrust) };
    },
    async status(request) {
      const backend = await chooseBackend(request);
      if (backend === "firewalld") return import("./status-firewalld.ts");
      const { byIptables, byNftables } = await import("./status.ts");
      return backend === "iptables" ? byIptables : byNftables;
    },
  },
});

/** Without a bus, firewalld does not run and trusts nobody. */
async function loadDistrust(host: Host, settings: FirewallConfig): Promise<Distrust> {
  if (!hasSystemBus(host)) return undefined;
  const { distrustAddresses } = await import("../../net/firewall/firewalld.ts");
  return (addresses) => distrustAddresses({ host, zone: zoneOf(settings), addresses });
}
