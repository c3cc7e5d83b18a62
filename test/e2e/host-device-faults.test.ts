import assert from "node:assert/strict";
import { test } from "node:test";
import { described, plug, records } from "./host-device.ts";
import { addLeavesNothing, delClearsKilled, delTells, INJECTIONS } from "./injection.ts";
import { World } from "./world.ts";

// A device is never lost: a failed ADD puts it back as it was, a failed DEL tells.

const ipam = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]] };
const config = { type: "host-device", device: "dev5" };

test("an ADD that fails puts the device back with its addresses, routes and bridge", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  plug(w);
  plug(w, "dev6", "02:00:5e:00:53:06", "wire6");
  w.must(..."ip link add br0 up type bridge".split(" "));
  w.must("ip", "link", "set", "dev6", "master", "br0");
  for (const address of ["10.5.0.1/24", "10.5.0.2/24", "fd05::1/64"])
    w.must("ip", "address", "add", address, "dev", "dev5", ...(address.includes("::") ? ["nodad"] : []));
  w.must(..."ip route add default via 10.5.0.254".split(" "));
  w.must(..."ip -6 route add fd99::/64 via fd05::9".split(" "));
  const state = () => [w.state(), described(w), described(w, "dev6"), c1.ip("address"), records(w)];
  const before = state();
  for (const device of ["dev5", "dev6"]) {
    const wish = { ...config, device, ipam: { type: "static", addresses: [], routes: [] } };
    assert.equal(w.refused("ADD", wish, c1).msg, "IPAM plugin returned missing IP config");
    assert.deepEqual(state(), before);
    const route = { ...ipam, routes: [{ dst: "10.9.0.0/16", gw: "192.0.2.1" }] };
    assert.match(w.refused("ADD", { ...config, device, ipam: route }, c1).msg, /^cannot add route/);
    assert.deepEqual(state(), before);
  }
});

for (const injection of INJECTIONS)
  test(`ADD of host-device, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
    const world = await World.start(t);
    const container = world.container();
    plug(world);
    const state = () => [world.state(), described(world), container.ip("address"), records(world)];
    // What DEL cannot know: it is for an ADD undone.
    const tidy = () => world.must("ip", "address", "replace", "10.5.0.1/24", "dev", "dev5");
    tidy();
    assert.ok(
      addLeavesNothing({ world, container, config: { ...config, ipam }, state, tidy }, injection) > 0,
    );
  });

for (const call of ["sendto", "write"])
  test(`DEL clears what an ADD of host-device has left that was killed at a ${call}`, async (t) => {
    const world = await World.start(t);
    const container = world.container();
    plug(world);
    const state = () => [world.state(), described(world), container.ip("address"), records(world)];
    assert.ok(delClearsKilled({ world, container, config: { ...config, ipam }, state }, call) > 0);
  });

for (const call of ["sendto", "recvfrom", "unlink", "open"])
  test(`DEL of host-device tells of each ${call} that fails, and the next DEL does the rest`, async (t) => {
    const world = await World.start(t);
    const container = world.container();
    plug(world);
    const state = () => [world.state(), described(world), container.ip("address"), records(world)];
    assert.ok(delTells({ world, container, config: { ...config, ipam }, state }, call) > 0);
  });
