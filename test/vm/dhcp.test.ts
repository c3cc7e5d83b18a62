import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { DhcpNetwork, needs, SERVER6 } from "../e2e/dhcp-network.ts";
import type { Json } from "../e2e/world.ts";

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

test(
  "ipvlan and IPv6: one MAC address, but an address each by DHCPv6 and by advertisement",
  withDnsmasq,
  async (t) => {
    const n = await DhcpNetwork.start(t);
    const { world: w } = n;
    await n.dnsmasq(
      ["10.66.0.50", "10.66.0.60"],
      "--enable-ra",
      "--dhcp-range=fd66::50,fd66::5f,slaac,64,1h",
    );
    await n.daemon();
    const config = { type: "ipvlan", master: "phys", ipam: { type: "dhcp", ipv4: "none", ipv6: "auto" } };
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    const results = await Promise.all([c1, c2].map((container) => w.start("ADD", config, container)));
    for (const { code, output } of results) assert.equal(code, 0, JSON.stringify(output));
    assert.equal(c1.link().address, c2.link().address);
    const addresses = [c1, c2].flatMap((container) => container.addresses());
    assert.equal(new Set(addresses).size, 4, `${addresses}`);
    assert.equal(
      addresses.filter((address) => /^fd66::5[0-9a-f]\/64$/.test(address)).length,
      2,
      `${addresses}`,
    );
    for (const address of [SERVER6, ...c2.addresses()])
      assert.equal(c1.pings(address.split("/")[0]!, 20), true, address);
    w.check(config, c1, results[0]!.output);
    for (const container of [c1, c2]) w.del(config, container);
    assert.deepEqual([n.records(), c1.link()], [[], undefined]);
  },
);

test(
  "a cable that loses 30 % and delays, by netem: all are served, and stay so",
  needs("busybox"),
  async (t) => {
    const n = await DhcpNetwork.start(t);
    const { world: w } = n;
    await n.udhcpd(["10.66.0.50", "10.66.0.69"], 12);
    const daemon = await n.daemon("-resendmax", "4s");
    const netem = "root netem loss 30% delay 50ms".split(" ");
    w.must("tc", "qdisc", "add", "dev", "phys", ...netem);
    n.server.must("tc", "qdisc", "add", "dev", "wire", ...netem);
    // The kernel loads the module of a kind for the first that wants it, and tells others meanwhile that there is none.
    w.must(..."ip link add link phys name first type macvlan".split(" "));
    w.must("ip", "link", "delete", "first");
    const containers = Array.from({ length: 10 }, (_, i) => w.container(`c${i}`));
    const config = { type: "macvlan", master: "phys", ipam: { type: "dhcp" } };
    const added = await Promise.all(containers.map((container) => w.start("ADD", config, container)));
    for (const { code, output } of added) assert.equal(code, 0, JSON.stringify(output));
    assert.equal(new Set(added.map(({ output }) => output.ips[0].address)).size, 10);
    // A lease is renewed when more time is left than before.
    const renewed = new Set<string>();
    const left = new Map<string, number>();
    const look = () => {
      const listed: Json[] = JSON.parse(w.must(join(w.bin, "dhcp"), "leases", "-json"));
      for (const { containerId, leases } of listed) {
        const { expiresIn = 0 } = leases[0];
        if (expiresIn > (left.get(containerId) ?? expiresIn)) renewed.add(containerId);
        left.set(containerId, expiresIn);
      }
      return renewed.size === 10;
    };
    await daemon.until("a renewal of each", look, 120);
  },
);
