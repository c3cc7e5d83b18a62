import assert from "node:assert/strict";
import { test } from "node:test";
import { type Container, type Json, World } from "./world.ts";

// CHECK finds each kind of damage that is done by hand, and nothing where there is none.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "10.9.0.0/16", gw: "10.1.0.1" }],
};
const bridge = { type: "bridge", bridge: "br0", isGateway: true, ipMasq: true, macspoofchk: true, ipam };
const ptp = { type: "ptp", ipMasq: true, ipam };

/** What happens to the world, and what CHECK says then. `outside` is the name of the host's end. */
type Damage = readonly [
  what: string,
  config: Json,
  damage: (w: World, c1: Container, outside: string) => void,
  msg: string | RegExp,
];

const inBoth = (config: Json): Damage[] => [
  [
    "an address",
    config,
    (_, c1) => c1.must("ip", "address", "del", "10.1.0.2/24", "dev", "eth0"),
    /^address 10\.1\.0\.2\/24 is missing on eth0$/,
  ],
  [
    "an IPv6 address",
    config,
    (_, c1) => c1.must("ip", "address", "del", "fd01::2/64", "dev", "eth0"),
    /^address fd01::2\/64 is missing on eth0$/,
  ],
  [
    "a default route",
    config,
    (_, c1) => c1.must("ip", "route", "del", "default"),
    /^route to 0\.0\.0\.0\/0 is missing in \/run\/netns\/c1$/,
  ],
  [
    "an IPv6 route",
    config,
    (_, c1) => c1.must("ip", "-6", "route", "del", "default"),
    /^route to ::\/0 is missing in /,
  ],
  [
    "a route with gateway",
    config,
    (_, c1) => c1.must("ip", "route", "replace", "10.9.0.0/16", "dev", "eth0"),
    /^route to 10\.9\.0\.0\/16 via 10\.1\.0\.1 is missing in /,
  ],
  [
    "the container's end is down",
    config,
    (_, c1) => c1.must("ip", "link", "set", "eth0", "down"),
    /^interface eth0 is down$/,
  ],
  [
    "the container's end is gone",
    config,
    (_, c1) => c1.must("ip", "link", "del", "eth0"),
    /^interface eth0 is missing in \/run\/netns\/c1$/,
  ],
  [
    "the container's end is another link",
    config,
    (_, c1) => {
      c1.must("ip", "link", "del", "eth0");
      c1.must("ip", "link", "add", "eth0", "type", "bridge");
    },
    /^interface eth0 is bridge, not veth$/,
  ],
  [
    "the container's end has another MAC",
    config,
    (_, c1) => c1.must("ip", "link", "set", "eth0", "address", "02:00:5e:00:53:09"),
    /^interface eth0 has MAC 02:00:5e:00:53:09, not /,
  ],
  [
    "the host's end is down",
    config,
    (w, _, outside) => w.must("ip", "link", "set", outside, "down"),
    /^interface veth\w+ is down$/,
  ],
  ["the reservation", config, (w) => w.must("rm", "/var/lib/cni/networks/net/10.1.0.2"), /c1/],
  [
    "a rule of masquerading",
    config,
    (w) => w.must("nft", "flush", "chain", "inet", "cni_plugins_masquerade", "masq_checks"),
    /^10\.1\.0\.2\/24 is not masqueraded$/,
  ],
  [
    "the way to it",
    config,
    (w) => w.must("nft", "flush", "chain", "inet", "cni_plugins_masquerade", "postrouting"),
    /^masquerading is not in effect$/,
  ],
  ["all of it", config, (w) => w.must("nft", "flush", "ruleset"), /./],
];

const damages: Damage[] = [
  ...inBoth(bridge),
  [
    "the bridge is down",
    bridge,
    (w) => w.must("ip", "link", "set", "br0", "down"),
    /^interface br0 is down$/,
  ],
  [
    "the bridge is gone",
    bridge,
    (w) => w.must("ip", "link", "del", "br0"),
    /^interface br0 is missing in the host$/,
  ],
  [
    "the bridge has another MAC",
    bridge,
    (w) => w.must("ip", "link", "set", "br0", "address", "02:00:5e:00:53:09"),
    /^interface br0 has MAC/,
  ],
  [
    "the port is on no bridge",
    bridge,
    (w, _, outside) => w.must("ip", "link", "set", outside, "nomaster"),
    /^veth\w+, the host's end of eth0, is not a port of br0$/,
  ],
  [
    "the port is on another bridge",
    bridge,
    (w, _, outside) => {
      w.must("ip", "link", "add", "br1", "up", "type", "bridge");
      w.must("ip", "link", "set", outside, "master", "br1");
    },
    /is not a port of br0$/,
  ],
  [
    "the gateway's address",
    bridge,
    (w) => w.must("ip", "address", "del", "10.1.0.1/24", "dev", "br0"),
    /^address 10\.1\.0\.1\/24 is missing on br0$/,
  ],
  [
    "the gateway's IPv6 address",
    bridge,
    (w) => w.must("ip", "address", "del", "fd01::1/64", "dev", "br0"),
    /^address fd01::1\/64 is missing on br0$/,
  ],
  [
    "a rule of the spoof check",
    bridge,
    (w) => w.must("nft", "flush", "chain", "bridge", "nat", "cni-br-iface-c1-eth0-mac"),
    /^the MAC spoof check of veth\w+ for .* is not whole$/,
  ],
  [
    "the way to the spoof check",
    bridge,
    (w) => w.must("nft", "flush", "chain", "bridge", "nat", "PREROUTING"),
    /^the MAC spoof check/,
  ],
  [
    "hairpin mode",
    { ...bridge, hairpinMode: true },
    (w, _, outside) => w.must("bridge", "link", "set", "dev", outside, "hairpin", "off"),
    /^veth\w+ is not in hairpin mode$/,
  ],
  [
    "isolation",
    { ...bridge, portIsolation: true },
    (w, _, outside) => w.must("bridge", "link", "set", "dev", outside, "isolated", "off"),
    /^veth\w+ is not isolated$/,
  ],
  [
    "promiscuous mode",
    { ...bridge, promiscMode: true },
    (w) => w.must("ip", "link", "set", "br0", "promisc", "off"),
    /^bridge br0 is not promiscuous$/,
  ],
  [
    "a rule of iptables",
    { ...bridge, ipMasqBackend: "iptables" },
    (w) => w.must("iptables", "-t", "nat", "-F", "POSTROUTING"),
    /^a masquerading rule is missing$/,
  ],
  [
    "a rule of ip6tables",
    { ...bridge, ipMasqBackend: "iptables" },
    (w) => w.must("ip6tables", "-t", "nat", "-F", "POSTROUTING"),
    /^a masquerading rule is missing$/,
  ],
  ...inBoth(ptp),
  [
    "the gateway's address",
    ptp,
    (w, _, outside) => w.must("ip", "address", "del", "10.1.0.1/32", "dev", outside),
    /^address 10\.1\.0\.1\/32 is missing on veth\w+$/,
  ],
  [
    "the host's route",
    ptp,
    (w) => w.must("ip", "route", "del", "10.1.0.2"),
    /^route to 10\.1\.0\.2\/32 is missing in the host$/,
  ],
  [
    "the host's IPv6 route",
    ptp,
    (w) => w.must("ip", "-6", "route", "del", "fd01::2"),
    /^route to fd01::2\/128 is missing in the host$/,
  ],
  [
    "the route to the gateway",
    ptp,
    (_, c1) => c1.must("ip", "route", "del", "10.1.0.1"),
    /^route to 10\.1\.0\.1\/32 is missing in \/run\/netns\/c1$/,
  ],
];

for (const [what, config, damage, msg] of damages)
  test(`CHECK of ${config.type} finds: ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const result = w.add(config, c1);
    w.check(config, c1, result);
    const outside = result.interfaces.find(({ name }: Json) => name.startsWith("veth")).name;
    damage(w, c1, outside);
    const error = w.refused("CHECK", config, c1, { prevResult: result });
    assert.ok(error.code >= 100 && error.code < 999, `code ${error.code}`);
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    // Whatever happened, DEL cleans up.
    w.del(config, c1, { prevResult: result });
    assert.deepEqual([w.veths(), w.reserved(), w.masqueraded()], [[], {}, []]);
  });

for (const config of [bridge, ptp])
  test(`CHECK of ${config.type} wants the result and the namespace of ADD`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const result = w.add(config, c1);
    const refused = (settings: Json) => w.refused("CHECK", config, c1, settings).msg;
    assert.equal(refused({}), "prevResult is missing");
    const interfaces = result.interfaces.slice(0, -1);
    assert.match(refused({ prevResult: { ...result, interfaces } }), /^prevResult has no interface eth0/);
    w.must("touch", "/run/netns/other");
    w.must("mount", "--bind", c1.netns, "/run/netns/other");
    assert.match(
      refused({ prevResult: result, netns: "/run/netns/other" }),
      /^prevResult has eth0 in \/run\/netns\/c1, but CNI_NETNS is \/run\/netns\/other$/,
    );
    assert.match(refused({ prevResult: result, netns: "/run/netns/gone" }), /does not exist$/);
    assert.match(
      refused({ prevResult: { ...result, ips: "none" } }),
      /^invalid result\.ips: expected a list, got "none"$/,
    );
    w.check(config, c1, { ...result, prevResult: 1, unknown: [] });
  });

test("CHECK of bridge without ipam asks nobody for addresses", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  for (const config of [{ type: "bridge" }, { type: "bridge", ipam: {} }]) {
    const result = w.add(config, c1);
    w.check(config, c1, result, { path: `${w.bin}:/nowhere` });
    w.del(config, c1, { prevResult: result });
  }
});

test("what later plugins of a chain add is no damage", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add(bridge, c1);
  c1.must("ip", "address", "add", "192.0.2.7/24", "dev", "eth0");
  c1.must("ip", "route", "add", "198.51.100.0/24", "via", "10.1.0.1");
  c1.must("ip", "link", "set", "eth0", "mtu", "1400");
  w.check(bridge, c1, {
    ...result,
    interfaces: [...result.interfaces, { name: "ifb0", mac: "02:00:5e:00:53:09" }],
    dns: { nameservers: ["192.0.2.1"] },
  });
});

test("a bridge that was made elsewhere may have got the MAC of another port since ADD", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  w.must("ip", "link", "add", "br0", "type", "bridge");
  const result = w.add(bridge, c1);
  const [first, ...others] = result.interfaces;
  w.check(bridge, c1, { ...result, interfaces: [{ ...first, mac: "02:00:5e:00:53:09" }, ...others] });
});
