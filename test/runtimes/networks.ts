// Networks as operators of clusters write them.

interface Bridged {
  readonly subnets: readonly string[];
}

/** A bridge to the world, and the plugins behind it. */
export function bridged(name: string, { subnets }: Bridged, ...chained: object[]) {
  const ranges = subnets.map((subnet) => [{ subnet }]);
  const routes = subnets.map((subnet) => ({ dst: subnet.includes(":") ? "::/0" : "0.0.0.0/0" }));
  const ipam = { type: "host-local", ranges, routes };
  const bridge = {
    type: "bridge",
    bridge: `${name}0`,
    isGateway: true,
    ipMasq: true,
    hairpinMode: true,
    ipam,
  };
  return { cniVersion: "1.0.0", name, plugins: [bridge, ...chained] };
}

export const portmap = { type: "portmap", capabilities: { portMappings: true } };
export const bandwidth = { type: "bandwidth", capabilities: { bandwidth: true } };
export const firewall = { type: "firewall" };
export const tuning = { type: "tuning" };
/** It fails: there is no such setting. */
export const failing = { type: "tuning", sysctl: { "net.ipv4.conf.all.no_such_setting": "1" } };
