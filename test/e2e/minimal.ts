// The least that a call of each plugin needs.
import type { Json } from "./world.ts";

export const ipam = { type: "host-local", ranges: [[{ subnet: "10.7.0.0/24" }]] };

/** Configurations by plugin, without version and name. `m0` and `dev0` are links of the host. */
export const minimal: Readonly<Record<string, Json>> = {
  bandwidth: { ingressRate: 8000, ingressBurst: 8000, egressRate: 8000, egressBurst: 8000 },
  bridge: { bridge: "br0", isGateway: true, ipMasq: true, macspoofchk: true, ipam },
  dhcp: { ipam: { type: "dhcp" } },
  dummy: { ipam },
  firewall: { backend: "nftables", ingressPolicy: "isolated" },
  "host-device": { device: "dev0", ipam },
  "host-local": { ipam },
  ipvlan: { master: "m0", ipam },
  loopback: {},
  macvlan: { master: "m0", ipam },
  portmap: {
    capabilities: { portMappings: true },
    runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] },
  },
  ptp: { ipMasq: true, ipam },
  sbr: {},
  static: { ipam: { type: "static", addresses: [{ address: "10.1.2.3/24" }] } },
  tap: { ipam },
  tuning: { mac: "02:00:5e:00:53:01", sysctl: { "net.ipv4.conf.IFNAME.arp_ignore": "1" } },
  vlan: { master: "m0", vlanId: 7, ipam },
  vrf: { vrfname: "blue" },
};
