import assert from "node:assert/strict";
import { test } from "node:test";
import { testExample } from "../e2e/example.ts";
import { addLeavesNothing } from "../e2e/injection.ts";
import { World } from "../e2e/world.ts";

/** The plugin dummy, on a kernel that has dummy links: run by test/vm-run where ours has none. */

const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "10.9.0.0/16" }, { dst: "fd09::/64" }],
};
const dummy = { type: "dummy", ipam };

test("dummy: an interface that has the addresses and routes of IPAM, in every version", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  for (const [index, cniVersion] of VERSIONS.entries()) {
    const config = { ...dummy, cniVersion };
    const result = w.add(config, c1);
    const link = c1.link();
    assert.deepEqual([link.linkinfo.info_kind, link.flags.includes("UP")], ["dummy", true]);
    assert.equal(link.ifalias, "cni:net/c1/eth0");
    assert.deepEqual(c1.addresses(), [`10.1.0.${index + 2}/24`, `fd01::${index + 2}/64`]);
    assert.ok(c1.routes().includes("10.9.0.0/16 via 10.1.0.1 dev eth0"));
    assert.ok(c1.routes(6).includes("fd09::/64 via fd01::1 dev eth0"));
    if (cniVersion > "0.2.0")
      assert.deepEqual(result.interfaces, [{ name: "eth0", mac: link.address, sandbox: c1.netns }]);
    if (cniVersion >= "0.4.0") w.check(config, c1, result);
    w.del(config, c1, cniVersion >= "0.4.0" ? { prevResult: result } : {});
    assert.equal(c1.link(), undefined);
  }
  w.del(dummy, c1);
  assert.deepEqual(w.state(), before);
});

test("dummy refuses what is wrong, and leaves nothing", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  w.status(dummy);
  assert.equal(w.refused("STATUS", { type: "dummy" }).msg, 'the configuration has no "ipam"');
  for (const [config, settings, code, msg] of [
    [{ ipam: undefined }, {}, 7, 'the configuration has no "ipam"'],
    [{ ipam: { type: "static" } }, {}, 100, "IPAM plugin returned missing IP config"],
    [{}, { ifName: "lo" }, 4, "container interface name provided (lo) already exists"],
  ] as const) {
    const error = w.refused("ADD", { ...dummy, ...config }, c1, settings);
    assert.deepEqual([error.code, error.msg], [code, msg]);
  }
  assert.deepEqual([c1.ip("link").length, w.reserved()], [1, {}]);
});

test("dummy: where a send fails, ADD leaves nothing", async (t) => {
  const world = await World.start(t);
  const container = world.container();
  const config = { ...dummy, ipam: { type: "static", addresses: [{ address: "10.1.0.2/24" }] } };
  const state = () => [world.link("eth0"), container.ip("link").length];
  assert.ok(addLeavesNothing({ world, container, config, state }, ["sendto", "EPERM"]) > 0);
});

test("dummy: CHECK finds what is damaged; DEL finds the link under another name, and another's under this one", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add(dummy, c1);
  for (const [damage, msg, repair] of [
    ["ip link set eth0 down", "interface eth0 is down", "ip link set eth0 up"],
    ["ip address del 10.1.0.2/24 dev eth0", "address 10.1.0.2/24 is missing on eth0", ""],
    ["ip link delete eth0", "interface eth0 is missing in /run/netns/c1", "ip link add eth0 type bridge"],
    ["true", "interface eth0 is bridge, not dummy", "ip link delete eth0"],
  ] as const) {
    c1.must(...damage.split(" "));
    assert.equal(w.refused("CHECK", dummy, c1, { prevResult: result }).msg, msg);
    if (repair) c1.must(...repair.split(" "));
  }
  w.del(dummy, c1);
  assert.deepEqual(w.reserved(), {});
  w.add(dummy, c1);
  const other = { ...dummy, name: "other" };
  assert.equal(w.refused("ADD", other, c1).code, 4);
  w.del(other, c1);
  // Older kernels give another name to a link that is down only.
  c1.must("sh", "-c", "ip link set eth0 down && ip link set eth0 name mine");
  w.del(dummy, c1);
  assert.equal(c1.link("mine"), undefined);
  w.add(dummy, c1);
  c1.vanish();
  w.del(dummy, c1);
  assert.deepEqual([w.reserved(), w.reserved("other")], [{}, {}]);
});

test("dummy: GC removes what belongs to no valid attachment of its network", async (t) => {
  const w = await World.start(t);
  const [keep, stale] = [w.container("keep"), w.container("stale")];
  const other = { ...dummy, name: "other", ipam: { ...ipam, routes: [] } };
  const kept = w.add(dummy, keep);
  w.add(dummy, stale);
  const foreign = w.add(other, stale, { ifName: "eth1" });
  w.gc(dummy, ["keep/eth0"]);
  assert.deepEqual([stale.link(), Object.values(w.reserved())], [undefined, ["keep eth0", "keep eth0"]]);
  w.check(dummy, keep, kept);
  w.check(other, stale, foreign, { ifName: "eth1" });
});

testExample("dummy", /1 received/);
