import assert from "node:assert/strict";
import { test } from "node:test";
import { DhcpNetwork, needs } from "../e2e/dhcp-network.ts";

/** The plugin dhcp on interfaces that not every kernel has, and on a cable as netem makes it: run by test/vm-run. */

const withDnsmasq = needs("dnsmasq");

test("ipvlan and dhcp: containers with one MAC address have a lease each", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq();
  await n.daemon();
  const config = { type: "ipvlan", master: "phys", ipam: { type: "dhcp" } };
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const result = w.add(config, c1);
  w.add(config, c2);
  assert.deepEqual(n.leases(), ["10.66.0.50 c1/net/eth0", "10.66.0.51 c2/net/eth0"]);
  for (const address of ["10.66.0.1", "10.66.0.51"]) assert.equal(c1.pings(address, 20), true, address);
  w.check(config, c1, result);
  for (const container of [c1, c2]) w.del(config, container);
  assert.deepEqual([n.leases(), c1.link()], [[], undefined]);
});

test("vlan and dhcp: the lease is of the VLAN's server", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  for (const command of [
    "link add link wire name wire.5 type vlan id 5",
    "address add 10.68.0.1/24 dev wire.5",
    "link set wire.5 up",
  ])
    n.server.must("ip", ...command.split(" "));
  await n.dnsmasq(
    ["10.66.0.50", "10.66.0.60"],
    "--interface=wire.5",
    "--dhcp-range=10.68.0.50,10.68.0.60,1h",
  );
  await n.daemon();
  const config = { type: "vlan", master: "phys", vlanId: 5, ipam: { type: "dhcp" } };
  const c1 = w.container();
  const result = w.add(config, c1);
  assert.deepEqual(c1.addresses(), ["10.68.0.50/24"]);
  assert.equal(c1.pings("10.68.0.1", 20), true);
  w.check(config, c1, result);
  w.del(config, c1);
  assert.deepEqual([n.leases(), c1.link()], [[], undefined]);
});

test("a cable that loses and delays by netem: all are served", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq();
  await n.daemon("-resendmax", "4s");
  const netem = "root netem loss 20% delay 100ms 50ms".split(" ");
  w.must("tc", "qdisc", "add", "dev", "phys", ...netem);
  n.server.must("tc", "qdisc", "add", "dev", "wire", ...netem);
  const containers = ["c1", "c2", "c3"].map((id) => w.container(id));
  const config = { type: "macvlan", master: "phys", ipam: { type: "dhcp" } };
  const added = await Promise.all(containers.map((container) => w.start("ADD", config, container)));
  for (const { code, output } of added) assert.equal(code, 0, JSON.stringify(output));
  assert.equal(new Set(containers.flatMap((container) => container.addresses())).size, 3);
});
