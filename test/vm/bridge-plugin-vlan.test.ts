import assert from "node:assert/strict";
import { test } from "node:test";
import { type Json, World } from "../e2e/world.ts";

/** The plugin bridge with VLANs, which need a kernel with VLAN filtering: run by test/vm-run where ours has none. */

const fixed = (address: string, gateway?: string) => ({
  type: "static",
  addresses: [{ address, ...(gateway && { gateway }) }],
});
const base = { type: "bridge", bridge: "br0" };
const outsideOf = (result: Json): string => result.interfaces[1].name;

/** The VLANs of a link, as `100 PVID Egress Untagged`. */
function vlansOf(w: World, link: string): string[] {
  const [shown] = JSON.parse(w.must("bridge", "-j", "vlan", "show", "dev", link));
  return (shown?.vlans ?? []).map(({ vlan, flags = [] }: Json) => [vlan, ...flags].join(" "));
}

test("vlan: containers of one VLAN reach each other, those of different ones do not", async (t) => {
  const w = await World.start(t);
  const join = (id: string, vlan: number, address: string) => {
    const container = w.container(id);
    const config = { ...base, vlan, ipam: fixed(address) };
    const result = w.add(config, container);
    return { container, config, result };
  };
  const c1 = join("c1", 100, "10.1.0.1/24");
  join("c2", 100, "10.1.0.2/24");
  join("c3", 200, "10.1.0.3/24");
  join("c4", 0, "10.1.0.4/24");
  assert.equal(w.link("br0").linkinfo.info_data.vlan_filtering, 1);
  assert.deepEqual(vlansOf(w, outsideOf(c1.result)), ["100 PVID Egress Untagged"]);
  assert.equal(c1.container.pings("10.1.0.2", 20), true);
  assert.equal(c1.container.pings("10.1.0.3", 3), false);
  assert.equal(c1.container.pings("10.1.0.4", 3), false);

  w.check(c1.config, c1.container, c1.result);
  w.must("bridge", "vlan", "add", "dev", outsideOf(c1.result), "vid", "200", "pvid", "untagged");
  const { msg } = w.refused("CHECK", c1.config, c1.container, { prevResult: c1.result });
  assert.match(msg, /^veth\w+ is not in VLAN 100 with untagged frames$/);
  w.del(c1.config, c1.container);
  assert.equal(w.veths().length, 3);
});

test("vlanTrunk: the container speaks to several VLANs with tags; untagged frames are of VLAN 1, or of vlan", async (t) => {
  const w = await World.start(t);
  const [c1, c2, c3] = [w.container("c1"), w.container("c2"), w.container("c3")];
  const trunk = {
    ...base,
    vlanTrunk: [{ id: 100 }, { minID: 200, maxID: 203 }, { id: 300, minID: 310, maxID: 311 }],
  };
  const result = w.add(trunk, c1);
  assert.deepEqual(vlansOf(w, outsideOf(result)), [
    "1 PVID Egress Untagged",
    "100",
    "200",
    "201",
    "202",
    "203",
    "300",
    "310",
    "311",
  ]);
  w.check(trunk, c1, result);
  const both = { ...trunk, vlan: 201 };
  const second = w.add(both, c2);
  assert.deepEqual(vlansOf(w, outsideOf(second)), [
    "100",
    "200",
    "201 PVID Egress Untagged",
    "202",
    "203",
    "300",
    "310",
    "311",
  ]);
  w.check(both, c2, second);
  w.must("bridge", "vlan", "delete", "dev", outsideOf(second), "vid", "203");
  assert.match(w.refused("CHECK", both, c2, { prevResult: second }).msg, /^veth\w+ is not in VLAN 203$/);

  w.add({ ...base, vlan: 100, ipam: fixed("10.1.0.3/24") }, c3);
  for (const [container, address] of [
    [c1, "10.1.0.1/24"],
    [c2, "10.1.0.2/24"],
  ] as const) {
    container.must(..."ip link add link eth0 name eth0.100 type vlan id 100".split(" "));
    container.must("ip", "address", "add", address, "dev", "eth0.100");
    container.must("ip", "link", "set", "eth0.100", "up");
  }
  for (const address of ["10.1.0.2", "10.1.0.3"]) assert.equal(c1.pings(address, 20), true, address);
});

test("preserveDefaultVlan: the bridge's default VLAN stays on the port", async (t) => {
  const w = await World.start(t);
  const added = (id: string, config: Json) =>
    vlansOf(w, outsideOf(w.add({ ...base, ...config }, w.container(id))));
  assert.deepEqual(added("c1", { vlan: 100, preserveDefaultVlan: true }), [
    "1 Egress Untagged",
    "100 PVID Egress Untagged",
  ]);
  assert.deepEqual(added("c2", { vlan: 100 }), ["100 PVID Egress Untagged"]);
  assert.deepEqual(added("c3", { vlanTrunk: [{ id: 7 }] }), ["1 PVID Egress Untagged", "7"]);
  assert.deepEqual(added("c4", {}), ["1 PVID Egress Untagged"]);
});

test("vlan with isGateway: <bridge>.<vlan> has the gateway's address, and is the fourth interface", async (t) => {
  const w = await World.start(t);
  const [c1, c2, c3] = [w.container("c1"), w.container("c2"), w.container("c3")];
  const of = (vlan: number, address: string, gateway: string) => ({
    ...base,
    name: `vlan${vlan}`,
    vlan,
    isDefaultGateway: true,
    ipam: fixed(address, gateway),
  });
  const first = of(100, "10.1.0.2/24", "10.1.0.1");
  const result = w.add(first, c1);
  const link = w.link("br0.100");
  assert.deepEqual([link.link, link.linkinfo.info_data.id, link.flags.includes("UP")], ["br0", 100, true]);
  assert.equal(result.interfaces.length, 4);
  assert.deepEqual(result.interfaces[3], { name: "br0.100", mac: link.address });
  assert.deepEqual([w.addresses("br0.100"), w.addresses("br0")], [["10.1.0.1/24"], []]);
  assert.equal(c1.pings("10.1.0.1", 20), true);
  const again = w.add(of(100, "10.1.0.3/24", "10.1.0.1"), c2);
  assert.deepEqual(again.interfaces[3], result.interfaces[3]);
  w.add(of(200, "10.2.0.2/24", "10.2.0.1"), c3);
  assert.deepEqual(w.addresses("br0.200"), ["10.2.0.1/24"]);
  // By the host, which forwards between its VLANs.
  assert.equal(c1.pings("10.2.0.2", 20), true);

  w.check(first, c1, result);
  w.must("ip", "link", "set", "br0.100", "down");
  assert.equal(w.refused("CHECK", first, c1, { prevResult: result }).msg, "interface br0.100 is down");
  w.del(of(200, "10.2.0.2/24", "10.2.0.1"), c3);
  assert.ok(w.link("br0.200"));
  // The next one brings it up again.
  w.del(first, c1);
  w.check(first, c1, w.add(first, c1));
});

test("vlan: a failed ADD takes back the link in the VLAN, and the bridge that was made", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  const config = {
    ...base,
    vlan: 100,
    isGateway: true,
    ipMasq: true,
    ipMasqBackend: "iptables",
    ipam: fixed("10.1.0.2/24"),
  };
  const error = w.refused("ADD", config, c1, { env: { PATH: "/nowhere" } });
  assert.deepEqual(
    [error.msg, error.details.includes("undone")],
    ["program iptables-restore not found", false],
  );
  assert.deepEqual([w.state(), c1.link()], [before, undefined]);
});

test("vlan on a bridge that is there, and was made without VLAN filtering, or by the reference", async (t) => {
  const w = await World.start(t);
  w.must(..."ip link add br0 up type bridge".split(" "));
  // The reference's way to have a foot in a VLAN.
  w.must(..."ip link add br0.100 type veth peer name foot0".split(" "));
  w.must("ip", "link", "set", "foot0", "up", "master", "br0");
  w.must(..."bridge vlan add dev foot0 vid 100 pvid untagged".split(" "));
  const c1 = w.container();
  const config = { ...base, vlan: 100, isGateway: true, ipam: fixed("10.1.0.2/24") };
  const result = w.add(config, c1);
  assert.equal(w.link("br0").linkinfo.info_data.vlan_filtering, 1);
  assert.deepEqual([w.link("br0.100").linkinfo.info_kind, w.addresses("br0.100")], ["veth", ["10.1.0.1/24"]]);
  assert.equal(c1.pings("10.1.0.1", 20), true);
  w.check(config, c1, result);
});
