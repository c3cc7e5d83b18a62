import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { until } from "./program.ts";
import { type Container, type Json, World } from "./world.ts";

// The plugin bridge: every option, seen in the kernel and in packets.

const ipam = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]] };
const ipam6 = { type: "host-local", ranges: [[{ subnet: "fd01::/64" }]] };
const dual = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]] };
const base = { type: "bridge", bridge: "br0" };
const gateway = { ...base, isGateway: true, ipam };
const fixed = (...addresses: string[]) => ({
  type: "static",
  addresses: addresses.map((address) => ({ address })),
});

/** The host's end and the container's, as the result names them. */
function endsOf(result: Json): { outside: string; inside: Json } {
  return { outside: result.interfaces[1].name, inside: result.interfaces[2] };
}

/** Lists the neighbours' MAC addresses anew. */
function forgetNeighbours(...containers: Container[]): void {
  for (const container of containers) container.must("ip", "neighbour", "flush", "all");
}

test("without options: a bridge cni0 without address joins the containers", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const config = { type: "bridge", ipam };
  const result = w.add(config, c1);
  w.add(config, c2);
  const [bridge, outside, inside] = result.interfaces;
  assert.equal(bridge.name, "cni0");
  assert.equal(w.link("cni0").address, bridge.mac);
  assert.match(outside.name, /^veth/);
  assert.deepEqual([w.link(outside.name).address, w.link(outside.name).master], [outside.mac, "cni0"]);
  assert.deepEqual(inside, { name: "eth0", mac: c1.link().address, sandbox: "/run/netns/c1" });
  assert.deepEqual(result.ips, [{ interface: 2, address: "10.1.0.2/24", gateway: "10.1.0.1" }]);
  assert.deepEqual(w.addresses("cni0"), []);
  assert.deepEqual(c1.addresses(), ["10.1.0.2/24"]);
  assert.deepEqual(c1.routes(), ["10.1.0.0/24 dev eth0"]);
  assert.deepEqual([w.rules(), w.iptables()], [[], []]);
  assert.equal(c1.pings("10.1.0.3"), true);
});

const described = { mac: "M", name: "N" };
const shapes: Record<string, Json> = {
  "0.1.0": { ip4: { ip: "10.1.0.2/24", gateway: "10.1.0.1", routes: [{ dst: "0.0.0.0/0" }] }, dns: {} },
  "0.3.0": {
    interfaces: [described, described, { ...described, sandbox: "/run/netns/c1" }],
    ips: [{ version: "4", interface: 2, address: "10.1.0.2/24", gateway: "10.1.0.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: {},
  },
  "1.0.0": {
    interfaces: [described, described, { ...described, sandbox: "/run/netns/c1" }],
    ips: [{ interface: 2, address: "10.1.0.2/24", gateway: "10.1.0.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
  },
};
const shapeOf: Record<string, string> = {
  "0.2.0": "0.1.0",
  "0.3.1": "0.3.0",
  "0.4.0": "0.3.0",
  "1.1.0": "1.0.0",
};
for (const cniVersion of VERSIONS)
  test(`version ${cniVersion}: the result is in its shape, and CHECK and DEL take it back`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const config = { ...gateway, cniVersion, ipam: { ...ipam, routes: [{ dst: "0.0.0.0/0" }] } };
    const result = w.add(config, c1);
    const plain = { ...result };
    if (plain.interfaces)
      plain.interfaces = plain.interfaces.map((each: Json) => ({ ...each, name: "N", mac: "M" }));
    assert.deepEqual(plain, { cniVersion, ...shapes[shapeOf[cniVersion] ?? cniVersion] });
    if (cniVersion >= "0.4.0") w.check(config, c1, result);
    else assert.equal(w.refused("CHECK", config, c1, { prevResult: result }).code, 1);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual([c1.link(), w.veths(), w.reserved()], [undefined, [], {}]);
  });

test("isGateway: the bridge has the gateway's address, and the host forwards", async (t) => {
  const w = await World.start(t);
  w.must("sysctl", "-q", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const config = { ...gateway, ipam: { ...dual, routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] } };
  w.add(config, c1);
  w.add(config, c2);
  assert.deepEqual(w.addresses("br0"), ["10.1.0.1/24", "fd01::1/64"]);
  assert.equal(w.must("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"), "1\n1\n");
  assert.deepEqual(c1.routes(), ["default via 10.1.0.1 dev eth0", "10.1.0.0/24 dev eth0"]);
  assert.deepEqual(c1.routes(6), ["fd01::/64 dev eth0", "default via fd01::1 dev eth0"]);
  for (const address of ["10.1.0.1", "fd01::1", "10.1.0.3", "fd01::3"])
    assert.equal(c1.pings(address), true, address);
});

test("isGateway without a gateway of IPAM takes the network's first address", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add({ ...gateway, ipam: fixed("10.1.7.5/22", "fd01::5/64") }, c1);
  assert.deepEqual(
    result.ips.map(({ gateway }: Json) => gateway),
    ["10.1.4.1", "fd01::1"],
  );
  assert.deepEqual(w.addresses("br0"), ["10.1.4.1/22", "fd01::1/64"]);
});

test("several ranges of a family: an address and a gateway of each", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const ranges = ["fd02::/64", "fd03::/64", "fd04::/64"].map((subnet) => [{ subnet }]);
  w.add({ ...gateway, ipam: { type: "host-local", ranges } }, c1);
  assert.deepEqual(w.addresses("br0").sort(), ["fd02::1/64", "fd03::1/64", "fd04::1/64"]);
  assert.deepEqual(c1.addresses().sort(), ["fd02::2/64", "fd03::2/64", "fd04::2/64"]);
  assert.equal(c1.pings("fd04::1"), true);
});

test("IPv6 works in a container where it was disabled", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  c1.must("sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
  w.add({ ...gateway, ipam: ipam6 }, c1);
  assert.deepEqual(c1.addresses(), ["fd01::2/64"]);
  assert.equal(c1.pings("fd01::1"), true);
});

for (const [what, routes, wanted, kernel] of [
  ["none of its own", [], [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }], "default via 10.1.0.1 dev eth0"],
  [
    "one without gateway",
    [{ dst: "0.0.0.0/0" }],
    [{ dst: "0.0.0.0/0" }, { dst: "0.0.0.0/0", gw: "10.1.0.1" }],
    "default via 10.1.0.1 dev eth0",
  ],
  [
    "one with gateway",
    [{ dst: "0.0.0.0/0", gw: "10.1.0.9" }],
    [{ dst: "0.0.0.0/0", gw: "10.1.0.9" }],
    "default via 10.1.0.9 dev eth0",
  ],
] as const)
  test(`isDefaultGateway, where IPAM has ${what}: one default route`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const config = { ...base, isDefaultGateway: true, ipam: { ...ipam, routes } };
    const result = w.add(config, c1);
    assert.deepEqual(result.routes, wanted);
    assert.deepEqual(c1.routes(), [kernel, "10.1.0.0/24 dev eth0"]);
    assert.deepEqual(w.addresses("br0"), ["10.1.0.1/24"]);
    w.check(config, c1, result);
  });

test("isDefaultGateway in both families", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add({ ...base, isDefaultGateway: true, ipam: dual }, c1);
  assert.deepEqual(result.routes, [
    { dst: "0.0.0.0/0", gw: "10.1.0.1" },
    { dst: "::/0", gw: "fd01::1" },
  ]);
  assert.deepEqual(c1.routes(6), ["fd01::/64 dev eth0", "default via fd01::1 dev eth0"]);
});

test("routes: with gateway, by the network's, on the link, with metric, MTU and table", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const routes = [
    { dst: "10.9.0.0/16" },
    { dst: "10.8.0.0/16", gw: "10.1.0.7" },
    { dst: "10.7.0.0/16", scope: 253 },
    { dst: "10.6.0.0/16", priority: 50, mtu: 1300, advmss: 1200 },
    { dst: "10.5.0.0/16", table: 100 },
    { dst: "10.4.0.0/16", table: 0 },
  ];
  const config = { ...gateway, ipam: { ...ipam, routes } };
  const result = w.add(config, c1);
  assert.deepEqual(result.routes, routes);
  assert.deepEqual(c1.routes().sort(), [
    "10.1.0.0/24 dev eth0",
    "10.4.0.0/16 via 10.1.0.1 dev eth0",
    "10.6.0.0/16 via 10.1.0.1 dev eth0",
    "10.7.0.0/16 dev eth0",
    "10.8.0.0/16 via 10.1.0.7 dev eth0",
    "10.9.0.0/16 via 10.1.0.1 dev eth0",
  ]);
  const [six] = c1.ip("route", "show", "10.6.0.0/16");
  assert.deepEqual([six.metric, six.metrics], [50, [{ mtu: 1300, advmss: 1200 }]]);
  assert.equal(c1.ip("route", "show", "table", "100")[0].dst, "10.5.0.0/16");
  w.check(config, c1, result);
});

test("an address of the bridge in the way: refused, or replaced with forceAddress", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  w.must("ip", "link", "add", "br0", "type", "bridge");
  for (const address of ["10.1.0.8/24", "10.1.0.9/24", "192.0.2.1/24"])
    w.must("ip", "address", "add", address, "dev", "br0");
  const before = w.addresses("br0");
  const error = w.refused("ADD", gateway, c1);
  assert.equal(error.code, 7);
  assert.equal(error.msg, '"br0" already has an IP address different from 10.1.0.1/24');
  assert.match(error.details, /10\.1\.0\.8\/24.*forceAddress/);
  assert.deepEqual([w.addresses("br0"), w.reserved(), w.veths(), c1.link()], [before, {}, [], undefined]);
  w.add({ ...gateway, forceAddress: true }, c1);
  assert.deepEqual(w.addresses("br0"), ["10.1.0.1/24"]);
  assert.equal(c1.pings("10.1.0.1"), true);
  // Now it is there: with or without force nothing changes.
  w.add(gateway, w.container("c2"));
  assert.deepEqual(w.addresses("br0"), ["10.1.0.1/24"]);
});

test("IPv6 addresses of the bridge are in the way only where the networks overlap", async (t) => {
  const w = await World.start(t);
  w.must("ip", "link", "add", "br0", "type", "bridge");
  w.must("ip", "address", "add", "fd99::1/64", "dev", "br0", "nodad");
  const config = { ...base, isGateway: true, ipam: ipam6 };
  w.add(config, w.container("c1"));
  assert.deepEqual(w.addresses("br0").sort(), ["fd01::1/64", "fd99::1/64"]);
  const wider = {
    ...config,
    name: "wider",
    ipam: { type: "host-local", ranges: [[{ subnet: "fd01::/48" }]] },
  };
  assert.equal(
    w.refused("ADD", wider, w.container("c2")).msg,
    '"br0" already has an IP address different from fd01::1/48',
  );
  w.add({ ...wider, forceAddress: true }, w.container("c3"));
  assert.deepEqual(w.addresses("br0").sort(), ["fd01::1/48", "fd99::1/64"]);
});

test("mtu: of the bridge that is made, and of both ends", async (t) => {
  const w = await World.start(t);
  const c1 = w.container("c1");
  const { outside } = endsOf(w.add({ ...gateway, mtu: 1400 }, c1));
  assert.deepEqual([w.link("br0").mtu, w.link(outside).mtu, c1.link().mtu], [1400, 1400, 1400]);
  const c2 = w.container("c2");
  const second = endsOf(w.add({ ...gateway, mtu: 1300 }, c2));
  assert.deepEqual([w.link(second.outside).mtu, c2.link().mtu], [1300, 1300]);
  const c3 = w.container("c3");
  w.add({ ...gateway, mtu: 0 }, c3);
  assert.equal(c3.link().mtu, 1500);
});

test("hairpinMode: a frame may leave by the port that it came in by", async (t) => {
  const w = await World.start(t);
  // Two links on one port that only the bridge can join: mode vepa leaves that to it.
  const join = (name: string, subnet: string, config: Json): [boolean, boolean] => {
    const container = w.container(name);
    const { outside } = endsOf(w.add(config, container));
    const ends = ["a", "b"].map((letter) => w.container(name + letter));
    for (const [index, end] of ends.entries()) {
      const vepa = ["link", "eth0", "type", "macvlan", "mode", "vepa"];
      w.must("ip", "-n", name, "link", "add", "m0", "netns", end.id, ...vepa);
      end.must("ip", "address", "add", `${subnet}.${index + 1}/24`, "dev", "m0");
      end.must("ip", "link", "set", "m0", "up");
    }
    return [w.port(outside).hairpin, ends[0]!.pings(`${subnet}.2`, config.hairpinMode ? 5 : 1)];
  };
  assert.deepEqual(join("c1", "10.2.1", { ...gateway, hairpinMode: true }), [true, true]);
  assert.deepEqual(join("c2", "10.2.2", gateway), [false, false]);
});

test("promiscMode: the bridge takes all frames; it excludes hairpinMode", async (t) => {
  const w = await World.start(t);
  w.add({ ...gateway, promiscMode: true }, w.container());
  assert.ok(w.link("br0").flags.includes("PROMISC"));
  w.must("ip", "link", "set", "br0", "promisc", "off");
  w.add({ ...gateway, promiscMode: true }, w.container("c2"));
  assert.ok(w.link("br0").flags.includes("PROMISC"));
  const c3 = w.container("c3");
  const error = w.refused("ADD", { ...gateway, promiscMode: true, hairpinMode: true }, c3);
  assert.deepEqual(
    [error.code, error.msg],
    [7, "cannot set hairpin mode and promiscuous mode at the same time"],
  );
});

test("macspoofchk: frames with another source address are dropped", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const config = { ...gateway, macspoofchk: true };
  const { inside, outside } = endsOf(w.add(config, c1));
  w.add(gateway, c2);
  assert.equal(c1.pings("10.1.0.3"), true);
  c1.must("ip", "link", "set", "eth0", "address", "02:00:5e:00:53:09");
  forgetNeighbours(c1, c2);
  assert.equal(c1.pings("10.1.0.3", 1), false);
  c1.must("ip", "link", "set", "eth0", "address", inside.mac);
  assert.equal(c1.pings("10.1.0.3"), true);
  assert.deepEqual(w.rules(), [
    "chain bridge nat cni-br-iface-c1-eth0",
    "chain bridge nat cni-br-iface-c1-eth0-mac",
    "bridge nat PREROUTING macspoofchk-c1-eth0 " +
      `[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"${outside}"}},{"jump":{"target":"cni-br-iface-c1-eth0"}}]`,
    'bridge nat cni-br-iface-c1-eth0 macspoofchk-c1-eth0 [{"jump":{"target":"cni-br-iface-c1-eth0-mac"}}]',
    "bridge nat cni-br-iface-c1-eth0-mac macspoofchk-c1-eth0 " +
      `[{"match":{"op":"==","left":{"payload":{"protocol":"ether","field":"saddr"}},"right":"${inside.mac}"}},{"return":null}]`,
    'bridge nat cni-br-iface-c1-eth0-mac macspoofchk-c1-eth0 [{"drop":null}]',
  ]);
  w.del(config, c1);
  assert.deepEqual(w.rules(), []);
});

test("enabledad: an address that another container has is refused; without it, it is not looked at", async (t) => {
  const w = await World.start(t);
  const config = { ...base, enabledad: true, ipam: fixed("fd01::5/64") };
  const c1 = w.container("c1");
  w.add(config, c1);
  assert.deepEqual(
    c1.link().addr_info.map(({ tentative }: Json) => tentative),
    [undefined, undefined],
  );
  const c2 = w.container("c2");
  const error = w.refused("ADD", config, c2);
  assert.equal(error.msg, "address fd01::5/64 is in use by another host");
  assert.deepEqual([c2.link(), w.veths().length], [undefined, 1]);
  w.add({ ...config, enabledad: false }, c2);
  assert.deepEqual(c2.addresses(), ["fd01::5/64"]);
});

test("disableContainerInterface: the container's end stays down; it forbids ipam", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { ...base, disableContainerInterface: true };
  const result = w.add(config, c1);
  assert.equal(result.ips, undefined);
  assert.ok(!c1.link().flags.includes("UP"));
  assert.equal(w.link(endsOf(result).outside).master, "br0");
  w.check(config, c1, result);
  w.del(config, c1, { prevResult: result });
  assert.equal(c1.link(), undefined);
  const error = w.refused("ADD", { ...config, ipam }, c1);
  assert.deepEqual(
    [error.code, error.msg],
    [7, "cannot use IPAM when DisableContainerInterface flag is set"],
  );
});

test("portIsolation: isolated containers reach the gateway and others, not each other", async (t) => {
  const w = await World.start(t);
  const [c1, c2, c3] = [w.container("c1"), w.container("c2"), w.container("c3")];
  const { outside } = endsOf(w.add({ ...gateway, portIsolation: true }, c1));
  w.add({ ...gateway, portIsolation: true }, c2);
  w.add(gateway, c3);
  assert.equal(w.port(outside).isolated, true);
  assert.equal(c1.pings("10.1.0.1"), true);
  assert.equal(c1.pings("10.1.0.4"), true);
  assert.equal(c1.pings("10.1.0.3", 1), false);
});

test("dns wins over that of IPAM if it says anything", async (t) => {
  const w = await World.start(t);
  const ipamDns = { nameservers: ["192.0.2.1"], search: ["ipam.example"] };
  const dnsOf = (id: string, dns: Json) =>
    w.add({ ...base, ...(dns && { dns }), ipam: { ...fixed("10.1.0.5/24"), dns: ipamDns } }, w.container(id))
      .dns;
  assert.deepEqual(dnsOf("c1", undefined), ipamDns);
  assert.deepEqual(dnsOf("c2", {}), ipamDns);
  assert.deepEqual(dnsOf("c3", { nameservers: ["192.0.2.9"] }), { nameservers: ["192.0.2.9"] });
  const full = { nameservers: ["192.0.2.9"], domain: "d", search: ["s"], options: ["ndots:2"] };
  assert.deepEqual(dnsOf("c4", full), full);
});

test("MAC: runtimeConfig wins over args.cni, and that over CNI_ARGS", async (t) => {
  const w = await World.start(t);
  const mac = (last: number) => `02:00:5e:00:53:0${last}`;
  const runtimeConfig = { mac: mac(1) };
  const args = { cni: { mac: mac(2) } };
  const inArgs = `IgnoreUnknown=1;K8S_POD_NAME=p;MAC=${mac(3)}`;
  const macOf = (id: string, config: Json, settings = {}) => {
    const container = w.container(id);
    const { inside } = endsOf(w.add({ ...base, ...config }, container, settings));
    assert.equal(container.link().address, inside.mac);
    return inside.mac;
  };
  assert.equal(macOf("c1", { runtimeConfig, args }, { args: inArgs }), mac(1));
  assert.equal(macOf("c2", { args }, { args: inArgs }), mac(2));
  assert.equal(macOf("c3", {}, { args: inArgs }), mac(3));
  assert.equal(macOf("c4", { runtimeConfig: { mac: "" } }, { args: `MAC=${mac(4)}` }), mac(4));
  const c5 = w.container("c5");
  assert.equal(w.refused("ADD", { ...base, runtimeConfig: { mac: "x" } }, c5).code, 7);
  assert.equal(w.refused("ADD", base, c5, { args: "MAC=x" }).code, 4);
  assert.match(w.refused("ADD", base, c5, { args: "COLOUR=red" }).msg, /unknown args COLOUR/);
  assert.deepEqual([c5.link(), w.veths().length], [undefined, 4]);
});

test("MAC and IP in CNI_ARGS, as podman gives them", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=n;K8S_POD_NAME=p;MAC=02:00:5e:00:53:07;IP=10.1.0.77";
  w.add({ ...gateway, cniVersion: "0.4.0" }, c1, { args });
  assert.deepEqual([c1.link().address, c1.addresses()], ["02:00:5e:00:53:07", ["10.1.0.77/24"]]);
});

for (const ipamOf of [{}, { ipam: {} }])
  test(`layer 2 alone: ${JSON.stringify(ipamOf)} gives an interface that is up, without address`, async (t) => {
    const w = await World.start(t);
    const containers = [w.container("c1"), w.container("c2")] as const;
    const config = { ...base, isGateway: true, ipMasq: true, ...ipamOf };
    for (const [index, container] of containers.entries()) {
      const result = w.add(config, container);
      assert.deepEqual(Object.keys(result), ["cniVersion", "interfaces"]);
      assert.equal(result.interfaces.length, 3);
      assert.ok(container.link().flags.includes("UP"));
      assert.deepEqual(container.addresses(), []);
      container.must("ip", "address", "add", `10.3.0.${index + 1}/24`, "dev", "eth0");
      w.check(config, container, result);
    }
    assert.equal(containers[0].pings("10.3.0.2"), true);
    assert.deepEqual([w.addresses("br0"), w.masqueraded()], [[], []]);
    w.del(config, containers[0]);
    assert.equal(containers[0].link(), undefined);
  });

test("the bridge's MAC stays when ports come and go, and is none of theirs", async (t) => {
  const w = await World.start(t);
  const low = { ...gateway, runtimeConfig: { mac: "00:00:5e:00:53:01" } };
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const first = w.add(gateway, c1);
  const { mac } = w.link("br0").address === first.interfaces[0].mac ? first.interfaces[0] : { mac: "?" };
  assert.ok(!first.interfaces.slice(1).some((each: Json) => each.mac === mac));
  w.add(low, c2);
  assert.equal(w.link("br0").address, mac);
  w.del(gateway, c1);
  w.del(low, c2);
  assert.equal(w.link("br0").address, mac);
});

test("of a bridge made by hand, the result tells the MAC that it has in the end", async (t) => {
  const w = await World.start(t);
  w.must("ip", "link", "add", "br0", "type", "bridge");
  for (const [id, config] of [
    ["c1", base],
    ["c2", gateway],
  ] as const) {
    const container = w.container(id);
    const result = w.add(config, container);
    assert.equal(result.interfaces[0].mac, w.link("br0").address);
    w.check(config, container, result);
  }
});

test("a name that is another link's is refused", async (t) => {
  const w = await World.start(t);
  w.must("ip", "link", "add", "br0", "type", "veth", "peer", "name", "other");
  const error = w.refused("ADD", gateway, w.container());
  assert.deepEqual([error.code, error.msg], [7, '"br0" already exists but is not a bridge']);
  assert.match(error.details, /It is veth/);
  assert.equal(w.refused("STATUS", gateway).code, 50);
});

test("wrong values are named, before anything is made", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  const table: [Json, string | RegExp][] = [
    [{ vlan: 5000 }, "invalid VLAN ID 5000 (must be between 0 and 4094)"],
    [{ vlan: -1 }, "invalid VLAN ID -1 (must be between 0 and 4094)"],
    [{ vlanTrunk: [{ id: 4095 }] }, /^incorrect trunk id parameter: 4095/],
    [{ vlanTrunk: [{ id: 0 }] }, /^incorrect trunk id parameter: 0/],
    [{ vlanTrunk: [{ minID: 0, maxID: 9 }] }, /^incorrect trunk minID parameter: 0/],
    [{ vlanTrunk: [{ minID: 9, maxID: 5000 }] }, /^incorrect trunk maxID parameter: 5000/],
    [{ vlanTrunk: [{ minID: 9, maxID: 8 }] }, /^minID 9 is greater than maxID 8 in trunk parameter/],
    [
      { vlanTrunk: [{ minID: 9 }] },
      /^minID and maxID should be configured simultaneously, maxID is missing$/,
    ],
    [
      { vlanTrunk: [{ maxID: 9 }] },
      /^minID and maxID should be configured simultaneously, minID is missing$/,
    ],
    [{ mtu: "big" }, 'invalid configuration: mtu: expected a whole number from 0 up to 65535, got "big"'],
    [
      { ipMasqBackend: "ebtables" },
      /^invalid configuration: ipMasqBackend: expected one of .*got "ebtables"/,
    ],
    [{ bridge: "a-name-of-16-byt" }, /^invalid configuration: bridge: expected .*got "a-name-of-16-byt"/],
    [{ bridge: "a/b" }, /^invalid configuration: bridge: expected/],
    [{ bridge: "" }, /^invalid configuration: bridge: expected/],
    [{ isGateway: "yes" }, 'invalid configuration: isGateway: expected true or false, got "yes"'],
  ];
  for (const [change, msg] of table) {
    const error = w.refused("ADD", { ...gateway, ...change }, c1);
    assert.equal(error.code, 7, error.msg);
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
  }
  assert.deepEqual(w.state(), before);
});

test("keys in any case, and keys that nobody knows, are fine", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = {
    type: "bridge",
    BRIDGE: "br7",
    isgateway: true,
    IPAM: ipam,
    capabilities: { mac: true },
    x: 1,
  };
  w.add(config, c1);
  assert.deepEqual(w.addresses("br7"), ["10.1.0.1/24"]);
});

test("two networks of one container: DEL of one leaves the other", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const common = { isDefaultGateway: true, ipMasq: true, macspoofchk: true };
  const one = { ...gateway, ...common, name: "one" };
  const two = {
    ...gateway,
    ...common,
    name: "two",
    bridge: "br1",
    ipam: { type: "host-local", ranges: [[{ subnet: "10.2.0.0/24" }]] },
  };
  const first = w.add(one, c1);
  const second = w.add(two, c1, { ifName: "eth1" });
  assert.deepEqual(c1.routes(), [
    "default via 10.1.0.1 dev eth0",
    "default via 10.2.0.1 dev eth1",
    "10.1.0.0/24 dev eth0",
    "10.2.0.0/24 dev eth1",
  ]);
  w.check(one, c1, first);
  w.check(two, c1, second, { ifName: "eth1" });
  w.del(one, c1, { prevResult: first });
  assert.deepEqual([c1.link(), w.reserved("one")], [undefined, {}]);
  w.check(two, c1, second, { ifName: "eth1" });
  assert.deepEqual(c1.routes(), ["default via 10.2.0.1 dev eth1", "10.2.0.0/24 dev eth1"]);
  assert.equal(c1.pings("10.2.0.1"), true);
  w.del(two, c1, { ifName: "eth1", prevResult: second });
  assert.deepEqual([w.veths(), w.masqueraded(), w.reserved("two")], [[], [], {}]);
});

test("two networks with an IPv6 default route: the container keeps the first one's, and has the second's behind it", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const network = (name: string, subnet: string) => ({
    ...gateway,
    name,
    bridge: name,
    isDefaultGateway: true,
    ipam: { type: "host-local", ranges: [[{ subnet }]] },
  });
  const [one, two] = [network("one", "fd01::/64"), network("two", "fd02::/64")];
  const first = w.add(one, c1);
  const second = w.add(two, c1, { ifName: "eth1" });
  const defaults = () =>
    c1.ip("-6", "route", "show", "default").map(({ dev, metric, nexthops }) => [dev, metric, nexthops]);
  assert.deepEqual(defaults(), [
    ["eth0", 1024, undefined],
    ["eth1", 1025, undefined],
  ]);
  w.check(one, c1, first);
  w.check(two, c1, second, { ifName: "eth1" });
  w.del(one, c1, { prevResult: first });
  assert.deepEqual(defaults(), [["eth1", 1025, undefined]]);
  w.check(two, c1, second, { ifName: "eth1" });
});

test("the same network twice in one container", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { ...gateway, ipMasq: true, macspoofchk: true };
  const first = w.add(config, c1);
  const second = w.add(config, c1, { ifName: "eth1" });
  w.del(config, c1, { ifName: "eth1", prevResult: second });
  w.check(config, c1, first);
  assert.equal(w.masqueraded().length, 1);
  assert.deepEqual(w.reserved(), { "10.1.0.2": "c1 eth0" });
});

test("a second ADD is refused, and the first stays whole", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { ...gateway, ipMasq: true, macspoofchk: true };
  const result = w.add(config, c1);
  const before = w.state();
  const error = w.refused("ADD", config, c1);
  assert.deepEqual([error.code, error.msg], [4, "container veth name provided (eth0) already exists"]);
  assert.deepEqual(w.state(), before);
  w.check(config, c1, result);
});

test("names as long as they may be", async (t) => {
  const w = await World.start(t);
  const c1 = w.container("c".repeat(100));
  const c2 = w.container(`${"c".repeat(99)}d`);
  const long = {
    ...gateway,
    name: "n".repeat(100),
    bridge: "a-bridge-of-15b",
    ipMasq: true,
    macspoofchk: true,
  };
  const settings = { ifName: "eth0-of-15-char" };
  for (const config of [long, { ...long, ipMasqBackend: "iptables" }]) {
    const [first, second] = [w.add(config, c1, settings), w.add(config, c2, settings)];
    w.check(config, c1, first, settings);
    w.del(config, c1, settings);
    w.check(config, c2, second, settings);
    w.del(config, c2, { ...settings, netns: "" });
    assert.deepEqual([w.veths(), w.masqueraded(), w.iptables(), w.reserved(config.name)], [[], [], [], {}]);
    assert.deepEqual(
      w.rules().filter((rule) => rule.includes("cni-br-iface")),
      [],
    );
  }
  const c3 = w.container("c".repeat(200));
  assert.match(
    w.refused("ADD", long, c3, settings).msg,
    /^the container ID is too long for macspoofchk: c+-eth0/,
  );
  const plain = { ...long, macspoofchk: false };
  w.check(plain, c3, w.add(plain, c3, settings), settings);
  w.del(long, c3, settings);
  assert.deepEqual([w.veths(), w.masqueraded(), w.reserved(long.name)], [[], [], {}]);
});

test("where /proc/sys is read-only, and what matters is set, ADD succeeds", async (t) => {
  const w = await World.start(t);
  w.must("sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  w.must("mount", "-o", "bind,ro", "/proc/sys", "/proc/sys");
  const c1 = w.container();
  const config = { ...gateway, ipam: dual };
  w.check(config, c1, w.add(config, c1));
  for (const address of ["10.1.0.1", "fd01::1"]) assert.equal(c1.pings(address), true, address);
  w.must("umount", "/proc/sys");
  w.must("sysctl", "-q", "net.ipv4.ip_forward=0");
  w.must("mount", "-o", "bind,ro", "/proc/sys", "/proc/sys");
  const error = w.refused("ADD", config, w.container("c2"));
  assert.match(error.msg, /net\/ipv4\/ip_forward.*EROFS/);
});

test("who knew an address's last owner learns of the new one at once", async (t) => {
  const w = await World.start(t);
  const [neighbour, first, second] = [w.container("neighbour"), w.container("first"), w.container("second")];
  const addresses = ["10.1.0.9", "fd01::9"];
  const anywhere = { ...gateway, ipam: dual };
  const config = { ...anywhere, args: { cni: { ips: addresses } } };
  w.add(anywhere, neighbour);
  const knows = (place: World | Container) =>
    place
      .ip("neighbour", "show")
      .filter(({ dst }) => addresses.includes(dst))
      .map(({ dst, lladdr }) => `${dst} ${lladdr}`)
      .sort();
  const owner = (container: Container) =>
    addresses.map((address) => `${address} ${container.link().address}`);
  w.add(config, first);
  for (const address of addresses) {
    assert.equal(neighbour.pings(address), true);
    w.must("ping", "-c", "1", address);
  }
  assert.deepEqual([knows(w), knows(neighbour)], [owner(first), owner(first)]);
  w.del(config, first);
  w.add(config, second);
  for (const place of [w, neighbour])
    await until("the new MAC address", () => knows(place).join() === owner(second).join(), {
      explain: () => `${knows(place)}, not ${owner(second)}`,
    });
});
