import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { type Json, World } from "./world.ts";

// The plugin ptp: every option, seen in the kernel and in packets.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }]],
  routes: [{ dst: "0.0.0.0/0" }],
};
const dual = { ...ipam, ranges: [...ipam.ranges, [{ subnet: "fd01::/64" }]] };
const config = { type: "ptp", ipam };

test("container and host are joined by a pair, the host's end is the gateway", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add({ ...config, ipam: { ...dual, routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] } }, c1);
  const [outside, inside] = result.interfaces;
  const link = w.link(outside.name);
  assert.match(outside.name, /^veth/);
  assert.deepEqual(outside, { name: outside.name, mac: link.address });
  assert.deepEqual([link.operstate, link.master], ["UP", undefined]);
  assert.deepEqual(inside, { name: "eth0", mac: c1.link().address, sandbox: "/run/netns/c1" });
  assert.deepEqual(result.ips, [
    { interface: 1, address: "10.1.0.2/24", gateway: "10.1.0.1" },
    { interface: 1, address: "fd01::2/64", gateway: "fd01::1" },
  ]);
  assert.deepEqual(result.routes, [{ dst: "0.0.0.0/0" }, { dst: "::/0" }]);
  assert.deepEqual(w.addresses(outside.name), ["10.1.0.1/32", "fd01::1/128"]);
  assert.deepEqual(c1.addresses(), ["10.1.0.2/24", "fd01::2/64"]);
  assert.deepEqual(c1.routes(), [
    "default via 10.1.0.1 dev eth0",
    "10.1.0.0/24 via 10.1.0.1 dev eth0",
    "10.1.0.1 dev eth0",
  ]);
  assert.deepEqual(c1.routes(6).sort(), [
    "default via fd01::1 dev eth0",
    "fd01::/64 via fd01::1 dev eth0",
    "fd01::1 dev eth0",
  ]);
  const sources = c1.ip("route", "show", "10.1.0.0/24").map(({ prefsrc }) => prefsrc);
  assert.deepEqual(sources, ["10.1.0.2"]);
  assert.equal(w.ip("route", "show", "10.1.0.2")[0].dev, outside.name);
  for (const address of ["10.1.0.1", "fd01::1"]) assert.equal(c1.pings(address), true, address);
  assert.deepEqual([w.rules(), w.iptables()], [[], []]);
});

test("containers reach each other through the host", async (t) => {
  const w = await World.start(t);
  w.must("sysctl", "-q", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
  const both = { ...config, ipam: dual };
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  w.add(both, c1);
  w.add(both, c2);
  assert.equal(w.must("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"), "1\n1\n");
  for (const address of ["10.1.0.3", "fd01::3", "10.1.0.1", "fd01::1"])
    assert.equal(c1.pings(address), true, address);
});

const interfaces = [
  { name: "N", mac: "M" },
  { name: "N", mac: "M", sandbox: "/run/netns/c1" },
];
const address = { interface: 1, address: "10.1.0.2/24", gateway: "10.1.0.1" };
const old = {
  interfaces,
  ips: [{ version: "4", ...address }],
  routes: [{ dst: "0.0.0.0/0" }],
  dns: {},
};
const oldest = { ip4: { ip: "10.1.0.2/24", gateway: "10.1.0.1", routes: [{ dst: "0.0.0.0/0" }] }, dns: {} };
const latest = { interfaces, ips: [address], routes: [{ dst: "0.0.0.0/0" }] };
const shapes: Record<string, Json> = { "0.1.0": oldest, "0.2.0": oldest, "1.0.0": latest, "1.1.0": latest };
for (const cniVersion of VERSIONS)
  test(`ptp in version ${cniVersion}: the result is in its shape, and CHECK and DEL take it back`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const versioned = { ...config, cniVersion };
    const result = w.add(versioned, c1);
    const plain = { ...result };
    if (plain.interfaces)
      plain.interfaces = plain.interfaces.map((each: Json) => ({ ...each, name: "N", mac: "M" }));
    assert.deepEqual(plain, { cniVersion, ...(shapes[cniVersion] ?? old) });
    if (cniVersion >= "0.4.0") w.check(versioned, c1, result);
    w.del(versioned, c1, { prevResult: result });
    assert.deepEqual([c1.link(), w.veths(), w.reserved()], [undefined, [], {}]);
  });

test("ptp: mtu is that of both ends", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add({ ...config, mtu: 1400 }, c1);
  assert.deepEqual([w.link(result.interfaces[0].name).mtu, c1.link().mtu], [1400, 1400]);
});

test("ptp: dns wins over that of IPAM if it says anything", async (t) => {
  const w = await World.start(t);
  const dns = { nameservers: ["192.0.2.1"] };
  const dnsOf = (id: string, own: Json) => {
    const addresses = [{ address: `10.1.0.${id.slice(1)}/24`, gateway: "10.1.0.254" }];
    return w.add({ ...config, dns: own, ipam: { type: "static", addresses, dns } }, w.container(id)).dns;
  };
  assert.deepEqual(dnsOf("c1", {}), dns);
  assert.deepEqual(dnsOf("c2", { search: ["s"] }), { search: ["s"] });
});

test("several addresses: of one subnet, of more, alone in theirs", async (t) => {
  const w = await World.start(t);
  const given = ["10.1.0.5/24", "10.1.0.6/24", "10.2.0.5/32", "fd01::5/64", "fd01::6/128"];
  const addresses = given.map((each) => ({
    address: each,
    gateway: each.includes(":") ? "fd01::1" : "10.1.0.1",
  }));
  const c1 = w.container();
  const many = { ...config, ipam: { type: "static", addresses, routes: [{ dst: "0.0.0.0/0" }] } };
  const result = w.add(many, c1);
  assert.deepEqual(c1.addresses().sort(), [...given].sort());
  assert.deepEqual(w.addresses(result.interfaces[0].name), ["10.1.0.1/32", "fd01::1/128"]);
  for (const gateway of ["10.1.0.1", "fd01::1"]) assert.equal(c1.pings(gateway), true, gateway);
  for (const each of given) {
    const plain = each.slice(0, each.indexOf("/"));
    assert.equal(w.exec(["ping", "-c", "1", "-W", "5", plain]).code, 0, each);
  }
  w.check(many, c1, result);
});

test("an address without gateway is refused: there would be nothing to reach the host by", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  const error = w.refused(
    "ADD",
    { ...config, ipam: { type: "static", addresses: [{ address: "10.1.0.5/24" }] } },
    c1,
  );
  assert.deepEqual([error.code, error.msg], [7, "IPAM gave no gateway for 10.1.0.5/24"]);
  const none = w.refused("ADD", { type: "ptp" }, c1);
  assert.deepEqual([none.code, none.msg], [7, 'the configuration has no "ipam"']);
  assert.deepEqual([w.state(), c1.link()], [before, undefined]);
  assert.equal(w.refused("STATUS", { type: "ptp" }).code, 7);
});

test("ptp: a second ADD is refused, and the first stays whole", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const masked = { ...config, ipMasq: true };
  const result = w.add(masked, c1);
  const before = w.state();
  const error = w.refused("ADD", masked, c1);
  assert.deepEqual([error.code, error.msg], [4, "container veth name provided (eth0) already exists"]);
  assert.deepEqual(w.state(), before);
  w.check(masked, c1, result);
  assert.equal(c1.pings("10.1.0.1"), true);
});

test("ptp: two networks of one container, DEL of one leaves the other", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = { ...config, name: "one", ipMasq: true };
  const two = { ...one, name: "two", ipam: { ...ipam, ranges: [[{ subnet: "10.2.0.0/24" }]] } };
  const first = w.add(one, c1);
  const second = w.add(two, c1, { ifName: "eth1" });
  w.check(one, c1, first);
  w.check(two, c1, second, { ifName: "eth1" });
  w.del(one, c1, { prevResult: first });
  w.check(two, c1, second, { ifName: "eth1" });
  assert.equal(c1.pings("10.2.0.1"), true);
  assert.deepEqual([c1.link(), w.reserved("one"), w.masqueraded().length], [undefined, {}, 1]);
});
