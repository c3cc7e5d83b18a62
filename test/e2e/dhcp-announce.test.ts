import assert from "node:assert/strict";
import { test } from "node:test";
import { DhcpNetwork, macvlan, needs, range } from "./dhcp-network.ts";

// Neighbours that remember who had an address before.

const OLD_MAC = "02:00:5e:00:53:99";

test("ADD and a new address tell the neighbours who has them", needs("kea-dhcp4", "radvd"), async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  const times = { renew: 1, rebind: 3, valid: 4 };
  const server = await n.kea4(range(50), times);
  await n.radvd("prefix fd66::/64 { AdvValidLifetime 3600; AdvPreferredLifetime 1800; };");
  const daemon = await n.daemon();
  const neighbour = w.container("neighbour");
  w.must(..."ip link add link phys name n0 type macvlan mode bridge".split(" "));
  w.must("ip", "link", "set", "n0", "netns", "neighbour");
  neighbour.must("ip", "address", "add", "10.66.0.9/24", "dev", "n0");
  neighbour.must("ip", "link", "set", "n0", "up");
  const remember = (address: string) =>
    neighbour.must("ip", "neigh", "replace", address, "lladdr", OLD_MAC, "nud", "stale", "dev", "n0");
  const remembered = (address: string) =>
    neighbour.ip("neigh", "show").find(({ dst }) => dst === address)?.lladdr;
  const mac = "02:00:5e:00:53:01";
  for (const address of ["10.66.0.50", "10.66.0.150", "fd66::5eff:fe00:5301"]) remember(address);
  const c1 = w.container();
  const ipam = { type: "dhcp", ipv6: "slaac" };
  const { code, output } = await w.start("ADD", { ...macvlan, mac, ipam }, c1);
  assert.equal(code, 0, JSON.stringify(output));
  assert.deepEqual(c1.addresses().sort(), ["10.66.0.50/24", "fd66::5eff:fe00:5301/64"]);
  assert.deepEqual(["10.66.0.50", "fd66::5eff:fe00:5301", "10.66.0.150"].map(remembered), [
    mac,
    mac,
    OLD_MAC,
  ]);
  await server.stop();
  w.must("rm", "/run/kea-dhcp4.leases");
  await n.kea4(range(150), times);
  await daemon.until("another address", () => c1.addresses().includes("10.66.0.150/24"));
  await daemon.until("the neighbour to know", () => remembered("10.66.0.150") === mac);
});
