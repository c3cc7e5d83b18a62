// What ipvlan and vlan have in common, for the machine that has both: a container's interface on a master m0.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { addLeavesNothing, type Subject } from "../e2e/injection.ts";
import { type Container, type Json, World } from "../e2e/world.ts";

export const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};

export const fixed = (address: string) => ({ type: "static", addresses: [{ address }] });

/** A world with two masters that are up, the ends of a veth pair: m0 and m1. */
export async function worldWithMasters(t: TestContext): Promise<World> {
  const w = await World.start(t);
  w.must("ip", "link", "add", "m0", "type", "veth", "peer", "name", "m1");
  for (const end of ["m0", "m1"]) w.must("ip", "link", "set", end, "up");
  return w;
}

/** Gives a link another name, which older kernels allow to one that is down only. */
function rename(place: { must(...command: string[]): string }, from: string, to: string): void {
  place.must("ip", "link", "set", from, "down");
  place.must("ip", "link", "set", from, "name", to);
  place.must("ip", "link", "set", to, "up");
}

/** Something that happens to the container or its host, and what CHECK says then. */
export type Damage = readonly [what: string, damage: (w: World, c1: Container) => void, msg: string | RegExp];

/** The tests; `change` makes of the configuration another one for the same master, as another VLAN of it. */
export function testChildPlugin(
  config: Json,
  change: (config: Json) => Json,
  ownDamages: readonly Damage[],
): void {
  const { type } = config;
  const states = (w: World, c1: Container) => [c1.ip("link", "show").length, w.reserved()];
  const nothing = [1, {}];

  test(`${type} in all versions`, async (t) => {
    const w = await worldWithMasters(t);
    const c1 = w.container();
    for (const [i, cniVersion] of VERSIONS.entries()) {
      const versioned = { ...config, cniVersion, name: `net${i}` };
      const result = w.add(versioned, c1);
      assert.equal(c1.link().linkinfo.info_kind, type);
      assert.deepEqual(c1.addresses(), ["10.1.0.2/24", "fd01::2/64"]);
      if (i >= VERSIONS.indexOf("0.3.0"))
        assert.deepEqual(result.interfaces, [{ name: "eth0", mac: c1.link().address, sandbox: c1.netns }]);
      if (i >= VERSIONS.indexOf("0.4.0")) w.check(versioned, c1, result);
      w.del(versioned, c1);
      assert.deepEqual([c1.link(), w.reserved(`net${i}`)], [undefined, {}]);
    }
  });

  test(`${type} on a master that is down: ADD succeeds, and all is there when it comes up`, async (t) => {
    const w = await worldWithMasters(t);
    const c1 = w.container();
    w.must("ip", "link", "set", "m0", "down");
    const result = w.add(config, c1);
    w.check(config, c1, result);
    // A while without master costs the container no route.
    for (const state of ["up", "down", "up"]) w.must("ip", "link", "set", "m0", state);
    w.check(config, c1, result);
  });

  test(`${type} where host and container have a link of the name`, async (t) => {
    const w = await worldWithMasters(t);
    const c1 = w.container();
    rename(w, "m0", "eth0");
    const named = { ...config, master: "eth0" };
    const result = w.add(named, c1);
    assert.equal(c1.link().link_index, w.link("eth0").ifindex);
    w.check(named, c1, result);
    const { code, msg } = w.refused("ADD", named, c1);
    assert.deepEqual([code, msg], [4, "container interface name provided (eth0) already exists"]);
    w.check(named, c1, result);
    w.del(named, c1);
    assert.deepEqual([states(w, c1), w.link("eth0").ifname], [nothing, "eth0"]);
  });

  test(`${type}: mtu, and what is refused`, async (t) => {
    const w = await worldWithMasters(t);
    const c1 = w.container();
    for (const [mtu, expected] of [
      [undefined, 1500],
      [0, 1500],
      [1400, 1400],
    ]) {
      w.add({ ...config, mtu }, c1);
      assert.equal(c1.link().mtu, expected);
      w.del(config, c1);
    }
    const before = [w.state(), c1.ip("address", "show")];
    for (const [given, code, msg] of [
      [{ mtu: 1600 }, 7, "invalid MTU 1600, must be [0, master MTU(1500)]"],
      [{ mtu: -1 }, 7, "invalid MTU -1, must be [0, master MTU(1500)]"],
      [{ master: "gone" }, 7, 'failed to lookup master "gone": link not found'],
      [{ ipam: undefined }, 7, 'the configuration has no "ipam"'],
      [{ ipam: { type: "static" } }, 100, "IPAM plugin returned missing IP config"],
    ] as const) {
      const error = w.refused("ADD", { ...config, ...given }, c1);
      assert.deepEqual([error.code, error.msg], [code, msg]);
      assert.deepEqual([w.state(), c1.ip("address", "show")], before);
    }
  });

  test(`${type} with linkInContainer: the master is in the container`, async (t) => {
    const w = await worldWithMasters(t);
    const c1 = w.container();
    for (const command of ["link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"])
      c1.must("ip", ...command.split(" "));
    const inside = { ...config, linkInContainer: true, master: "v0" };
    const result = w.add(inside, c1, { ifName: "net1" });
    assert.equal(c1.link("net1").link, "v0");
    w.check(inside, c1, result, { ifName: "net1" });
    w.del(inside, c1, { ifName: "net1" });
    assert.equal(c1.link("net1"), undefined);
    const error = w.refused("ADD", { ...inside, master: "m0" }, c1);
    assert.deepEqual([error.code, error.msg], [7, 'failed to lookup master "m0": link not found']);
  });

  test(`DEL of ${type}, whatever has happened`, async (t) => {
    const w = await worldWithMasters(t);
    const gone = (c: Container) => c.vanish();
    const departures: [what: string, happens: (c: Container) => void, settings?: Json][] = [
      ["nothing", () => {}],
      ["DEL", (c) => w.del(config, c)],
      ["another name", (c) => rename(c, "eth0", "mine")],
      ["the interface is gone", (c) => void c.must("ip", "link", "del", "eth0")],
      ["the namespace is gone", gone],
      ["the namespace is gone, and not named", gone, { netns: "" }],
      ["the master has another name", () => rename(w, "m0", "m2")],
      ["the master is gone", () => void w.must("ip", "link", "del", "m2")],
    ];
    for (const [i, [what, happens, settings]] of departures.entries()) {
      const c = w.container(`c${i}`);
      const on = w.link("m0") ? config : { ...config, master: "m2" };
      w.add(on, c);
      happens(c);
      w.del(on, c, settings);
      assert.deepEqual(w.reserved(), {}, what);
      if (!what.includes("namespace")) assert.deepEqual(states(w, c), nothing, what);
    }
    const never = w.container("never");
    for (const settings of [{}, { netns: "" }]) w.del(config, never, settings);
  });

  const damages: Damage[] = [
    ["gone", (_, c1) => c1.must("ip", "link", "del", "eth0"), "interface eth0 is missing in /run/netns/c1"],
    [
      "of another kind",
      (_, c1) => {
        c1.must("ip", "link", "del", "eth0");
        c1.must("ip", "link", "add", "eth0", "type", "dummy");
      },
      `interface eth0 is dummy, not ${type}`,
    ],
    ["down", (_, c1) => c1.must("ip", "link", "set", "eth0", "down"), "interface eth0 is down"],
    [
      "without an address",
      (_, c1) => c1.must("ip", "address", "del", "10.1.0.2/24", "dev", "eth0"),
      "address 10.1.0.2/24 is missing on eth0",
    ],
    [
      "without a route",
      (_, c1) => c1.must("ip", "-6", "route", "del", "default"),
      "route to ::/0 is missing in /run/netns/c1",
    ],
    ["without reservation", (w) => w.must("rm", "/var/lib/cni/networks/net/10.1.0.2"), /c1/],
    ...ownDamages,
    // Last: m0 does not come back.
    [
      "on another master",
      (w) => {
        rename(w, "m0", "old");
        rename(w, "m1", "m0");
      },
      "interface eth0 is not on master m0",
    ],
    ["on a master of another name", (w) => rename(w, "m0", "m2"), "master m0 is missing in the host"],
  ];

  test(`CHECK of ${type} finds each kind of damage`, async (t) => {
    const w = await worldWithMasters(t);
    for (const [what, damage, msg] of damages) {
      const c = w.container("c1");
      const result = w.add(config, c);
      w.check(config, c, result);
      damage(w, c);
      const error = w.refused("CHECK", config, c, { prevResult: result });
      assert.ok(error.code >= 100, what);
      if (typeof msg === "string") assert.equal(error.msg, msg);
      else assert.match(error.msg, msg);
      w.del(config, c, { prevResult: result });
      // host-local goes on: the next one has the first address too.
      w.exec(["rm", "-r", "/var/lib/cni/networks/net"]);
      c.vanish();
    }
  });

  test(`GC of ${type} removes exactly what belongs to no valid attachment of its network`, async (t) => {
    const w = await worldWithMasters(t);
    const other = { ...change(config), name: "other", master: "m1", ipam: fixed("10.2.0.2/24") };
    const [keep, stale] = [w.container("keep"), w.container("stale")];
    const kept = w.add(config, keep);
    w.add(change(config), stale);
    w.add(other, stale, { ifName: "net1" });
    w.gc(config, ["keep/eth0", "gone/eth0"]);
    assert.deepEqual([stale.link(), !!stale.link("net1")], [undefined, true]);
    assert.deepEqual(w.reserved(), { "10.1.0.2": "keep eth0", "fd01::2": "keep eth0" });
    w.check(config, keep, kept);
    w.gc(config, []);
    w.gc(other, []);
    assert.deepEqual([states(w, keep), stale.link("net1")], [nothing, undefined]);
  });

  test(`STATUS of ${type} fails where an ADD could not succeed`, async (t) => {
    const w = await worldWithMasters(t);
    const before = w.state();
    w.status(config);
    const { code, msg } = w.refused("STATUS", { ...config, master: "gone" });
    assert.deepEqual([code, msg], [50, 'failed to lookup master "gone": link not found']);
    assert.equal(w.refused("STATUS", { ...config, ipam: { type: "gone" } }).code, 7);
    w.status({ ...config, master: "gone", linkInContainer: true });
    assert.deepEqual(w.state(), before);
  });

  test(`ADD of ${type}, where each sendto fails once with EPERM, leaves nothing`, async (t) => {
    assert.ok(addLeavesNothing(await renamingSubject(t, config), ["sendto", "EPERM"]) > 0);
  });
}

/** For failures: a host whose eth0 makes kernels before Linux 6.15 create the container's by another name at first. */
export async function renamingSubject(t: TestContext, config: Json): Promise<Subject> {
  const w = await worldWithMasters(t);
  rename(w, "m0", "eth0");
  const named = { ...config, master: "eth0", ipam: fixed("10.1.0.2/24") };
  return { world: w, container: w.container(), config: named };
}
