import assert from "node:assert/strict";
import { test } from "node:test";
import { testExample } from "../e2e/example.ts";
import { addLeavesNothing } from "../e2e/injection.ts";
import { fixed, ipam, renamingSubject, testChildPlugin, worldWithMasters } from "./child-plugin.ts";

/** The plugin vlan, which not every kernel has: run by test/vm-run. */

const config = { type: "vlan", master: "m0", vlanId: 100, ipam };

testChildPlugin(config, (one) => ({ ...one, vlanId: one.vlanId + 1 }), [
  [
    "in another VLAN",
    (w, c1) => {
      const { address, link_index } = c1.link();
      c1.must("ip", "link", "del", "eth0");
      assert.equal(link_index, w.link("m0").ifindex);
      w.must(
        ..."ip link add link m0 name x0 netns c1 address".split(" "),
        address,
        ..."type vlan id 7".split(" "),
      );
      c1.must("ip", "link", "set", "x0", "name", "eth0");
      c1.must("ip", "link", "set", "eth0", "up");
    },
    "interface eth0 is in VLAN 7, not 100",
  ],
]);

test("containers reach what is in their VLAN, and nothing else", async (t) => {
  const w = await worldWithMasters(t);
  const join = (id: string, master: string, vlanId: number | undefined, address: string) => {
    const container = w.container(id);
    w.add({ type: "vlan", master, vlanId, ipam: fixed(address) }, container);
    return container;
  };
  const c1 = join("c1", "m0", 100, "10.1.0.1/24");
  const c2 = join("c2", "m0", 200, "10.1.0.2/24");
  join("c3", "m1", 100, "10.1.0.3/24");
  const c4 = join("c4", "m1", undefined, "10.1.0.4/24");
  const ids = [c1, c2, c4].map((container) => container.link().linkinfo.info_data.id);
  assert.deepEqual(ids, [100, 200, 0]);
  assert.equal(c1.pings("10.1.0.3", 20), true);
  assert.equal(c1.pings("10.1.0.4", 3), false);
  assert.equal(c2.pings("10.1.0.3", 3), false);
});

test("vlanId, master and ipam are checked, and a VLAN of a master is one container's", async (t) => {
  const w = await worldWithMasters(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const required = '"master" field is required. It specifies the host interface name to create the VLAN for';
  for (const [given, code, msg] of [
    [{ vlanId: 5000 }, 7, "invalid VLAN ID 5000 (must be between 0 and 4094)"],
    [{ vlanId: 4095 }, 7, "invalid VLAN ID 4095 (must be between 0 and 4094)"],
    [{ vlanId: -1 }, 7, "invalid VLAN ID -1 (must be between 0 and 4094)"],
    [{ vlanId: "5" }, 7, 'invalid configuration: vlanId: expected a whole number, got "5"'],
    [{ master: "" }, 7, required],
    [{ ipam: undefined }, 7, 'the configuration has no "ipam"'],
  ] as const)
    for (const verb of ["ADD", "STATUS"] as const) {
      const error = w.refused(verb, { ...config, ...given }, c1);
      assert.deepEqual([error.code, error.msg], [code, msg], verb);
    }
  assert.deepEqual([c1.link(), w.reserved()], [undefined, {}]);
  // DEL asks for none of it.
  for (const given of [{ vlanId: 5000 }, { master: "" }, { ipam: undefined }])
    w.del({ ...config, ...given }, c1);

  const highest = { ...config, vlanId: 4094 };
  const result = w.add(highest, c1);
  w.check(highest, c1, result);
  const { code, msg } = w.refused("ADD", highest, c2);
  assert.equal(code, 100);
  assert.match(msg, /^cannot create vlan eth0 on m0: File exists \(EEXIST\): .*VLAN device already exists/);
  assert.deepEqual([c2.link(), Object.values(w.reserved())], [undefined, ["c1 eth0", "c1 eth0"]]);
  w.check(highest, c1, result);
});

test("CHECK finds an MTU that is not the configured one", async (t) => {
  const w = await worldWithMasters(t);
  const c1 = w.container();
  const sized = { ...config, mtu: 1400 };
  const result = w.add(sized, c1);
  w.check(sized, c1, result);
  c1.must("ip", "link", "set", "eth0", "mtu", "1300");
  assert.equal(
    w.refused("CHECK", sized, c1, { prevResult: result }).msg,
    "interface eth0 has MTU 1300, not 1400",
  );
});

test("ADD of vlan, where each recvfrom fails once with EIO, leaves nothing", async (t) => {
  assert.ok(addLeavesNothing(await renamingSubject(t, config), ["recvfrom", "EIO"]) > 0);
});

testExample("vlan", /vlan protocol 802\.1Q id 100 .*LOOSE_BINDING.*inet 10\.77\.0\.2\/24/s);
