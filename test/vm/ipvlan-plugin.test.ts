import assert from "node:assert/strict";
import { test } from "node:test";
import { testExample } from "../e2e/example.ts";
import { fixed, ipam, testChildPlugin, worldWithMasters } from "./child-plugin.ts";

/** The plugin ipvlan, which not every kernel has: run by test/vm-run. */

const config = { type: "ipvlan", master: "m0", ipam };

testChildPlugin(config, (same) => same, [
  [
    "in another mode",
    (_, c1) => c1.must("ip", "link", "set", "eth0", "type", "ipvlan", "mode", "l3"),
    "interface eth0 is in mode l3, not l2",
  ],
]);

for (const [mode, kernels] of [
  [undefined, "l2"],
  ["l2", "l2"],
  ["l3", "l3"],
  ["l3s", "l3s"],
] as const)
  test(`mode ${mode ?? "not given"}: containers on one master reach each other, with its MAC`, async (t) => {
    const w = await worldWithMasters(t);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    const moded = { ...config, ...(mode && { mode }) };
    const result = w.add(moded, c1);
    w.add(moded, c2);
    assert.equal(c1.link().linkinfo.info_data.mode, kernels);
    assert.equal(result.interfaces[0].mac, w.link("m0").address);
    w.check(moded, c1, result);
    for (const address of ["10.1.0.3", "fd01::3"]) assert.equal(c1.pings(address, 20), true, address);
  });

test("an unknown mode is refused", async (t) => {
  const w = await worldWithMasters(t);
  const { code, msg } = w.refused("ADD", { ...config, mode: "bridge" }, w.container());
  assert.deepEqual(
    [code, msg],
    [7, 'invalid configuration: mode: expected one of "l2", "l3", "l3s", got "bridge"'],
  );
});

test("without master: the link of the default route", async (t) => {
  const w = await worldWithMasters(t);
  const c1 = w.container();
  const nameless = { type: "ipvlan", ipam: fixed("10.1.0.2/24") };
  assert.equal(w.refused("ADD", nameless, c1).msg, "no default route interface found");
  // It may be that of the plugin before.
  w.status(nameless);
  w.must("ip", "route", "add", "default", "dev", "m1");
  const result = w.add(nameless, c1);
  assert.equal(c1.link().link_index, w.link("m1").ifindex);
  w.check(nameless, c1, result);
  w.must("ip", "route", "del", "default");
  w.check(nameless, c1, result);
  w.del(nameless, c1);
  assert.equal(c1.link(), undefined);
});

test("chained: without ipam the addresses are those of prevResult, without master its sole interface is it", async (t) => {
  const w = await worldWithMasters(t);
  const c1 = w.container();
  const chained = { type: "ipvlan" };
  const prevResult = {
    cniVersion: "1.1.0",
    interfaces: [{ name: "m1" }],
    ips: [{ address: "10.1.0.7/24", gateway: "10.1.0.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: { nameservers: ["192.0.2.1"] },
  };
  const result = w.add(chained, c1, { prevResult });
  assert.equal(c1.link().link_index, w.link("m1").ifindex);
  assert.deepEqual(c1.addresses(), ["10.1.0.7/24"]);
  assert.deepEqual(c1.routes(), ["default via 10.1.0.1 dev eth0", "10.1.0.0/24 dev eth0"]);
  assert.deepEqual(result, {
    cniVersion: "1.1.0",
    interfaces: [{ name: "eth0", mac: w.link("m1").address, sandbox: c1.netns }],
    ips: [{ interface: 0, address: "10.1.0.7/24", gateway: "10.1.0.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: { nameservers: ["192.0.2.1"] },
  });
  w.check(chained, c1, result);
  w.del(chained, c1, { prevResult: result });
  assert.equal(c1.link(), undefined);

  const refused = (given: object, previous: object) => {
    const { code, msg } = w.refused("ADD", { ...chained, ...given }, c1, {
      prevResult: { ...prevResult, ...previous },
    });
    return [code, msg];
  };
  const lacks = "chained master failure. PrevResult lacks a single named interface";
  assert.deepEqual(refused({}, { interfaces: [] }), [7, lacks]);
  assert.deepEqual(refused({}, { interfaces: [{ name: "m0" }, { name: "m1" }] }), [7, lacks]);
  assert.deepEqual(refused({}, { ips: [] }), [7, 'the configuration has no "ipam"']);
  assert.equal(c1.link(), undefined);
  // IPAM wins over prevResult, and "master" too.
  w.add({ ...config, ipam: fixed("10.2.0.2/24") }, c1, { prevResult });
  assert.deepEqual([c1.addresses(), c1.link().link_index], [["10.2.0.2/24"], w.link("m0").ifindex]);
});

test("the address of another container on the master is refused, and nothing is left", async (t) => {
  const w = await worldWithMasters(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const same = { ...config, ipam: fixed("10.1.0.2/24") };
  w.add(same, c1);
  const { code, msg } = w.refused("ADD", same, c2);
  assert.equal(code, 100);
  assert.match(msg, /^cannot add address 10\.1\.0\.2\/24 to eth0: .*EADDRINUSE/);
  assert.equal(c2.link(), undefined);
});

testExample("ipvlan", /ipvlan {1,2}mode l2 .*inet 10\.77\.0\.2\/24/s);
