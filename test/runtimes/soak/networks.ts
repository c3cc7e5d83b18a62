// The networks of the soak, in the one folder that both runtimes read.
import type { Json } from "../../e2e/world.ts";
import { type RuntimeHost, side } from "../runtime-host.ts";

/** `pods` has two families and nftables, `back` iptables; `web` is as podman writes its own. */
export type Network = "pods" | "back" | "web";

const ipam = (...subnets: string[]) => ({
  type: "host-local",
  ranges: subnets.map((subnet) => [{ subnet }]),
  routes: subnets.map((subnet) => ({ dst: subnet.includes(":") ? "::/0" : "0.0.0.0/0" })),
});

/** The reference's firewall has no nftables. */
const ownFirewall = side === "ours" ? { backend: "nftables" } : {};

const lists: Readonly<Record<Network, Json>> = {
  pods: {
    cniVersion: "1.0.0",
    plugins: [
      {
        type: "bridge",
        bridge: "pods0",
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: ipam("10.90.0.0/16", "fd90::/64"),
      },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "firewall", ...ownFirewall },
      { type: "tuning", mtu: 1400 },
      { type: "bandwidth", capabilities: { bandwidth: true } },
    ],
  },
  back: {
    cniVersion: "0.4.0",
    plugins: [
      {
        type: "bridge",
        bridge: "back0",
        isGateway: true,
        ipMasq: true,
        ipMasqBackend: "iptables",
        hairpinMode: true,
        ipam: ipam("10.91.0.0/16"),
      },
      { type: "portmap", backend: "iptables", capabilities: { portMappings: true } },
      { type: "firewall", backend: "iptables" },
    ],
  },
  web: {
    cniVersion: "0.4.0",
    plugins: [
      {
        type: "bridge",
        bridge: "cni-podman1",
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: ipam("10.92.0.0/16"),
        capabilities: { ips: true },
      },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "firewall", backend: "" },
      { type: "tuning" },
    ],
  },
};

export const networks = Object.keys(lists) as Network[];

/** The types of a network's plugins, in their order. */
export function chainOf(network: Network): string[] {
  return lists[network].plugins.map(({ type }: Json) => type);
}

/** Where the same networks are in a version that has GC. */
export const GC_FOLDER = "/run/soak/gc";

/** The CRI takes the first two. */
export function writeNetworks(host: RuntimeHost): void {
  for (const [place, name] of networks.entries()) {
    host.network(`${place + 1}0-${name}`, { name, ...lists[name] });
    host.write(
      `${GC_FOLDER}/${name}.conflist`,
      JSON.stringify({ name, ...lists[name], cniVersion: "1.1.0" }),
    );
  }
}
