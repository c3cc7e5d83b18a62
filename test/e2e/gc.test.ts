import assert from "node:assert/strict";
import { test } from "node:test";
import { type Json, World } from "./world.ts";

// GC of bridge and ptp removes exactly what belongs to no valid attachment of its network.

const ipam = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]] };
const bridge = { type: "bridge", bridge: "br0", isGateway: true, ipMasq: true, macspoofchk: true, ipam };
const ptp = { type: "ptp", ipMasq: true, ipam };

/** The container IDs that rules are about, one for each rule. */
function owners(w: World): string[] {
  const words = [...w.masqueraded(), ...w.iptables().filter((line) => line.startsWith("-A POSTROUTING"))];
  return words.map((text) => /id: \\?"?(\w+)/.exec(text)![1]!).sort();
}

for (const config of [
  bridge,
  ptp,
  { ...bridge, ipMasqBackend: "iptables" },
  { ...ptp, ipMasqBackend: "iptables" },
])
  test(`GC of ${config.type}, ${(config as Json).ipMasqBackend ?? "nftables"}`, async (t) => {
    const w = await World.start(t);
    const other = { ...config, name: "other", ...(config.type === "bridge" && { bridge: "br1" }) };
    other.ipam = { ...ipam, ranges: [[{ subnet: "10.2.0.0/24" }]] };
    const ids = ["keep", "stale", "dead"];
    const [keep, stale, dead] = ids.map((id) => w.container(id));
    const results = [keep, stale, dead].map((container) => w.add(config, container!));
    const foreign = w.add(other, stale!, { ifName: "eth1" });
    w.must("ip", "link", "add", "vethmine", "type", "veth", "peer", "name", "other");
    dead!.vanish();
    assert.deepEqual(owners(w), ["dead", "keep", "stale", "stale"]);

    w.gc(config, ["keep/eth0", "gone/eth0"]);
    assert.deepEqual(owners(w), ["keep", "stale"]);
    assert.deepEqual(w.reserved(), { "10.1.0.2": "keep eth0" });
    assert.deepEqual([stale!.link(), !!keep!.link(), !!stale!.link("eth1")], [undefined, true, true]);
    w.check(config, keep!, results[0]);
    w.check(other, stale!, foreign, { ifName: "eth1" });
    assert.ok(w.link("vethmine"));

    w.gc(config, ["keep/eth0"]);
    w.check(config, keep!, results[0]);
    w.gc(config, []);
    assert.deepEqual([owners(w), w.reserved(), keep!.link()], [["stale"], {}, undefined]);
    w.check(other, stale!, foreign, { ifName: "eth1" });
    w.gc(other, []);
    assert.deepEqual([owners(w), w.reserved("other"), w.veths().sort()], [[], {}, ["other", "vethmine"]]);
    const ours = w.rules().filter((rule) => /macspoofchk-|CNI-/.test(rule));
    assert.deepEqual([ours, w.iptables()], [[], []]);
  });

test("GC keeps an interface apart from another one of the same container", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  for (const config of [bridge, ptp]) {
    const first = w.add(config, c1);
    w.add(config, c1, { ifName: "eth1" });
    w.gc(config, ["c1/eth0"]);
    w.check(config, c1, first);
    assert.deepEqual([c1.link("eth1"), owners(w)], [undefined, ["c1"]]);
    w.del(config, c1, { prevResult: first });
  }
});

test("GC where nothing ever was makes nothing", async (t) => {
  const w = await World.start(t);
  const before = w.state();
  for (const config of [bridge, ptp]) w.gc(config, []);
  assert.deepEqual(w.state(), before);
});

test("GC without a list is refused", async (t) => {
  const w = await World.start(t);
  for (const config of [bridge, ptp]) assert.equal(w.refused("GC", config).code, 7);
});
