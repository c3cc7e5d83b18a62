import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { type Container, type Json, World } from "./world.ts";

// The plugin loopback, as container engines call it before any network.

const config = { type: "loopback", name: "cni-loopback" };

function isUp(container: Container): boolean {
  return container.link("lo").flags.includes("UP");
}

const described = { name: "lo", mac: "00:00:00:00:00:00", sandbox: "/run/netns/c1" };
const latest = {
  interfaces: [described],
  ips: [
    { interface: 0, address: "127.0.0.1/8" },
    { interface: 0, address: "::1/128" },
  ],
};
const old = {
  interfaces: [described],
  ips: [
    { version: "4", interface: 0, address: "127.0.0.1/8" },
    { version: "6", interface: 0, address: "::1/128" },
  ],
  dns: {},
};
const oldest = { ip4: { ip: "127.0.0.1/8" }, ip6: { ip: "::1/128" }, dns: {} };
const shapes: Record<string, Json> = { "0.1.0": oldest, "0.2.0": oldest, "1.0.0": latest, "1.1.0": latest };
for (const cniVersion of VERSIONS)
  test(`loopback in version ${cniVersion}: lo comes up, is described, and goes down again`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const versioned = { ...config, cniVersion };
    assert.equal(isUp(c1), false);
    assert.deepEqual(w.add(versioned, c1, { ifName: "lo" }), { cniVersion, ...(shapes[cniVersion] ?? old) });
    assert.equal(isUp(c1), true);
    assert.equal(c1.pings("127.0.0.1"), true);
    w.del(versioned, c1, { ifName: "lo" });
    assert.equal(isUp(c1), false);
  });

test("whatever CNI_IFNAME says, it is lo", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  assert.equal(w.add(config, c1, { ifName: "eth0" }).interfaces[0].name, "lo");
  assert.equal(isUp(c1), true);
  w.del(config, c1, { ifName: "eth7" });
  assert.equal(isUp(c1), false);
});

test("a result from before passes through", async (t) => {
  const w = await World.start(t);
  const prevResult = {
    cniVersion: "1.1.0",
    interfaces: [{ name: "eth0", mac: "02:00:5e:00:53:09", sandbox: "/run/netns/c1" }],
    ips: [{ interface: 0, address: "10.1.0.2/24", gateway: "10.1.0.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: { nameservers: ["192.0.2.1"] },
  };
  assert.deepEqual(w.add(config, w.container(), { prevResult }), prevResult);
});

test("CHECK finds that lo is down", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add(config, c1);
  w.check(config, c1, result);
  c1.must("ip", "link", "set", "lo", "down");
  assert.equal(w.refused("CHECK", config, c1, { prevResult: result }).msg, "interface lo is down");
});

test("ADD and DEL twice, DEL without a namespace, GC and STATUS", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  assert.deepEqual(w.add(config, c1), w.add(config, c1));
  w.del(config, c1, { netns: "" });
  assert.equal(isUp(c1), true);
  w.del(config, c1);
  w.del(config, c1);
  w.gc(config, []);
  w.status(config);
  c1.vanish();
  w.del(config, c1);
});
