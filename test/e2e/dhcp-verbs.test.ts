import assert from "node:assert/strict";
import { test } from "node:test";
import { DhcpNetwork, macvlan, needs, range, SERVER } from "./dhcp-network.ts";
import type { Json } from "./world.ts";

// DEL, CHECK, GC and STATUS of the plugin dhcp, whatever has happened, and its ADD in bad company.

const withDnsmasq = needs("dnsmasq");
const records = (n: DhcpNetwork): number => n.records().length;

/** A network whose server and daemon run. */
async function running(t: Parameters<typeof DhcpNetwork.start>[0]) {
  const n = await DhcpNetwork.start(t);
  const server = await n.dnsmasq();
  const daemon = await n.daemon();
  return { n, w: n.world, server, daemon };
}

test("DEL, whatever has happened", withDnsmasq, async (t) => {
  const { n, w } = await running(t);
  const gone: Json = { netns: "" };
  for (const [i, [what, happens, settings]] of (
    [
      ["nothing", () => {}],
      ["DEL", (c) => w.del(macvlan, c)],
      ["the interface is gone", (c) => c.must("ip", "link", "del", "eth0")],
      ["the interface is down", (c) => c.must("ip", "link", "set", "eth0", "down")],
      ["the address is gone", (c) => c.must("ip", "address", "flush", "dev", "eth0")],
      ["the namespace is gone", (c) => c.vanish()],
      ["the namespace is gone, and not named", (c) => c.vanish(), gone],
      ["the namespace is not named", () => {}, gone],
    ] as readonly [string, (c: ReturnType<typeof w.container>) => void, Json?][]
  ).entries()) {
    const c = w.container(`c${i}`);
    w.add(macvlan, c);
    happens(c);
    w.del(macvlan, c, settings);
    assert.equal(records(n), 0, what);
    w.del(macvlan, c, settings);
    if (settings !== gone && !what.includes("gone")) assert.equal(c.link(), undefined, what);
  }
});

test("DEL without daemon, without server, and of what never was", withDnsmasq, async (t) => {
  const { n, w, server, daemon } = await running(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  for (const container of [c1, c2]) w.add(macvlan, container);
  await server.stop();
  w.del(macvlan, c1);
  assert.deepEqual([c1.link(), records(n)], [undefined, 1]);
  await daemon.stop();
  w.del(macvlan, c2);
  w.del(macvlan, c2, { netns: "" });
  w.must("rm", "-rf", "/run/cni");
  w.del(macvlan, w.container("c3"));
  assert.equal(c2.link(), undefined);
});

test("a socket whose daemon does not answer: ADD and STATUS say so, DEL succeeds", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const w = n.world;
  const c1 = w.container();
  // As after a crash: the file is there, nobody listens.
  const bound =
    "require('net').createServer().listen('/run/cni/dhcp.sock', () => process.kill(process.pid, 'SIGKILL'))";
  w.must("mkdir", "-p", "/run/cni");
  w.exec([process.execPath, "-e", bound]);
  assert.equal(w.refused("STATUS", macvlan).code, 50);
  const { code, msg, details } = w.refused("ADD", macvlan, c1);
  assert.match(`${msg} ${details}`, /\/run\/cni\/dhcp\.sock/);
  assert.notEqual(code, 0);
  assert.equal(c1.link(), undefined);
  w.del(macvlan, c1);
});

test("ADD without a server gives up, leaves nothing, and the daemon forgets", async (t) => {
  const n = await DhcpNetwork.start(t);
  const daemon = await n.daemon("-resendtimeout", "1s");
  const c1 = n.world.container();
  const { code, msg, details } = n.world.refused("ADD", macvlan, c1);
  assert.deepEqual([code, msg], [11, "error calling DHCP.Allocate: no more tries"], details);
  assert.match(details, /no DHCP server answers/);
  assert.deepEqual([c1.link(), records(n), daemon.running], [undefined, 0, true]);
});

test("ADD ends when its caller is killed, and the daemon gives the lease back", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const daemon = await n.daemon();
  const c1 = n.world.container();
  const adding = n.world.start("ADD", macvlan, c1, { wrap: ["timeout", "-s", "KILL", "1"] });
  await adding;
  await n.dnsmasq();
  await daemon.until("no record", () => records(n) === 0);
  assert.deepEqual(n.leases(), []);
  n.world.del(macvlan, c1);
  n.world.add(macvlan, c1);
});

test(
  "a second ADD of the same interface is refused, and takes nothing from the first",
  withDnsmasq,
  async (t) => {
    const { n, w } = await running(t);
    const c1 = w.container();
    const result = w.add(macvlan, c1);
    w.refused("ADD", macvlan, c1);
    assert.deepEqual([n.leases(), c1.addresses()], [["10.66.0.50 c1/net/eth0"], ["10.66.0.50/24"]]);
    w.check(macvlan, c1, result);
  },
);

test("ADD after a DEL that the daemon missed", withDnsmasq, async (t) => {
  const { n, w, daemon } = await running(t);
  const c1 = w.container();
  w.add(macvlan, c1);
  const { address } = c1.link();
  // As a runtime that was killed: the same names, another namespace.
  c1.vanish();
  // As long as the kernel has not taken it down, it answers to who asks for its address.
  const answering = () => w.must("bridge", "fdb", "show", "dev", "phys").includes(address);
  await daemon.until("the end of the interface", () => !answering());
  w.container("c1");
  const result = w.add(macvlan, c1);
  assert.deepEqual([n.leases(), records(n)], [["10.66.0.50 c1/net/eth0"], 1]);
  w.check(macvlan, c1, result);
});

test("CHECK finds what is damaged", withDnsmasq, async (t) => {
  const { w, daemon } = await running(t);
  const c1 = w.container();
  const result = w.add(macvlan, c1);
  w.check(macvlan, c1, result);
  for (const [damage, msg] of [
    ["route del default", /0\.0\.0\.0\/0/],
    ["address del 10.66.0.50/24 dev eth0", /10\.66\.0\.50/],
  ] as const) {
    c1.must("ip", ...damage.split(" "));
    const { code, msg: said } = w.refused("CHECK", macvlan, c1, { prevResult: result });
    assert.ok(code >= 100);
    assert.match(said, msg);
  }
  c1.must("ip", "address", "add", "10.66.0.50/24", "dev", "eth0");
  c1.must("ip", "route", "add", "default", "via", SERVER);
  w.check(macvlan, c1, result);
  const unknown = w.refused("CHECK", { ...macvlan, name: "other" }, c1, { prevResult: result });
  assert.ok(unknown.code >= 100);
  await daemon.stop();
  assert.equal(typeof w.refused("CHECK", macvlan, c1, { prevResult: result }).code, "number");
});

test("STATUS: 50 without a daemon, nothing with one", async (t) => {
  const n = await DhcpNetwork.start(t);
  for (const config of [macvlan, { type: "dhcp", ipam: { type: "dhcp" } }]) {
    const { code, msg, details } = n.world.refused("STATUS", config);
    assert.equal(code, 50);
    assert.match(`${msg} ${details}`, /dhcp\.sock/);
  }
  const daemon = await n.daemon();
  n.world.status(macvlan);
  n.world.status({ type: "dhcp", ipam: { type: "dhcp" } });
  const elsewhere = { ...macvlan, ipam: { type: "dhcp", daemonSocketPath: "/run/other.sock" } };
  assert.equal(n.world.refused("STATUS", elsewhere).code, 50);
  await daemon.stop();
  assert.equal(n.world.refused("STATUS", macvlan).code, 50);
});

test("GC ends exactly the leases that are not in the list", withDnsmasq, async (t) => {
  const { n, w, daemon } = await running(t);
  const other = { ...macvlan, name: "other" };
  const [keep, stale] = [w.container("keep"), w.container("stale")];
  const kept = w.add(macvlan, keep);
  w.add(macvlan, stale);
  w.add(other, stale, { ifName: "net1" });
  w.gc(macvlan, ["keep/eth0", "gone/eth0"]);
  assert.deepEqual(n.leases(), ["10.66.0.50 keep/net/eth0", "10.66.0.52 stale/other/net1"]);
  assert.deepEqual([stale.link(), !!stale.link("net1"), records(n)], [undefined, true, 2]);
  w.check(macvlan, keep, kept);
  w.gc(macvlan, []);
  w.gc(other, []);
  assert.deepEqual([n.leases(), records(n)], [[], 0]);
  // Without a daemon there is nothing that could be ended.
  await daemon.stop();
  w.gc(macvlan, []);
});

test("many at once, of one container too: DELs, and ADDs of different interfaces", withDnsmasq, async (t) => {
  const { n, w } = await running(t);
  const c1 = w.container();
  const interfaces = Array.from({ length: 8 }, (_, i) => ({ ifName: `net${i}` }));
  const added = await Promise.all(interfaces.map((settings) => w.start("ADD", macvlan, c1, settings)));
  for (const { code, output } of added) assert.equal(code, 0, JSON.stringify(output));
  assert.equal(new Set(n.leases().map((lease) => lease.split(" ")[0])).size, 8);
  const twice = [...interfaces, ...interfaces];
  const deleted = await Promise.all(twice.map((settings) => w.start("DEL", macvlan, c1, settings)));
  for (const { code, output } of deleted) assert.equal(code, 0, JSON.stringify(output));
  assert.deepEqual([n.leases(), records(n), c1.ip("link", "show").length], [[], 0, 1]);
});

test("an address that somebody has already: declined, and another one is taken", withDnsmasq, async (t) => {
  const { w, server } = await running(t);
  const squatter = w.container("squatter");
  w.must(..."ip link add link phys name s0 type macvlan mode bridge".split(" "));
  w.must("ip", "link", "set", "s0", "netns", "squatter");
  squatter.must("ip", "address", "add", "10.66.0.50/24", "dev", "s0");
  squatter.must("ip", "link", "set", "s0", "up");
  const c1 = w.container();
  const { ips } = w.add(macvlan, c1);
  assert.deepEqual([ips[0].address, c1.addresses()], ["10.66.0.51/24", ["10.66.0.51/24"]]);
  assert.equal(server.lines(/DHCPDECLINE.* 10\.66\.0\.50/).length, 1);
});

test("a cable that loses three frames of ten: all are served", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const w = n.world;
  await n.dnsmasq(range(50, 99));
  await n.daemon("-resendmax", "1s");
  n.lose("numgen random mod 10 < 3");
  const containers = Array.from({ length: 10 }, (_, i) => w.container(`c${i}`));
  const added = await Promise.all(containers.map((container) => w.start("ADD", macvlan, container)));
  for (const { code, output } of added) assert.equal(code, 0, JSON.stringify(output));
  const addresses = containers.flatMap((container) => container.addresses());
  assert.equal(new Set(addresses).size, 10);
  n.repair();
  for (const container of containers) w.del(macvlan, container);
  assert.deepEqual(n.leases(), []);
});

test(
  "more containers than addresses: the last ones are refused, the others served",
  withDnsmasq,
  async (t) => {
    const n = await DhcpNetwork.start(t);
    const w = n.world;
    await n.dnsmasq(range(50, 51));
    await n.daemon("-resendtimeout", "2s");
    const containers = ["c1", "c2", "c3"].map((id) => w.container(id));
    const added = await Promise.all(containers.map((container) => w.start("ADD", macvlan, container)));
    assert.deepEqual(added.map(({ code }) => code).sort(), [0, 0, 1]);
    assert.equal(records(n), 2);
  },
);
