import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMac } from "../../src/address/mac.ts";
import { errno } from "../../src/host/errno.ts";
import { addBridgeVlans, listBridgeVlans, removeBridgeVlans } from "../../src/netlink/bridge-vlan.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import { createLink, setLink } from "../../src/netlink/link.ts";
import { bridge, readBridge } from "../../src/netlink/links/bridge.ts";
import { veth } from "../../src/netlink/links/veth.ts";
import { readVlan, vlan } from "../../src/netlink/links/vlan.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

/** What needs a kernel with VLANs, and bridges with VLAN filtering: run by test/vm-run where ours has none. */

/** As `bridge -j -c vlan show` prints it. */
interface SeenVlan {
  readonly vlan: number;
  readonly vlanEnd?: number;
  readonly flags?: readonly string[];
}

test("a bridge filters VLANs from its creation on, and can be told to later", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  const mac = parseMac("02:00:5e:00:53:01")!;
  socket.execute([
    createLink(bridge({ vlanFiltering: true, vlanDefaultPvid: 0 }), { name: "br0", mac }),
    createLink(bridge(), { name: "br1" }),
  ]);
  const data = (name: string) => space.ip("link", "show", "dev", name)[0].linkinfo.info_data;
  assert.deepEqual([data("br0").vlan_filtering, data("br0").vlan_default_pvid], [1, 0]);
  assert.deepEqual([data("br1").vlan_filtering, data("br1").vlan_default_pvid], [0, 1]);
  assert.equal(readBridge(space.link("br0"))?.vlanFiltering, true);
  assert.equal(readBridge(space.link("br0"))?.vlanDefaultPvid, 0);
  socket.execute([setLink(space.link("br1"), { kind: bridge({ vlanFiltering: true }) })]);
  assert.equal(readBridge(space.link("br1"))?.vlanFiltering, true);
  assert.equal(readBridge(space.link("br1"))?.vlanDefaultPvid, 1);
});

test("VLANs of ports and of the bridge itself are added, listed and removed", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  const options = bridge({ vlanFiltering: true, vlanDefaultPvid: 0 });
  socket.execute([createLink(options, { name: "br0" })]);
  const br0 = space.link("br0");
  socket.execute([createLink(veth({ name: "b" }), { name: "a", master: br0.index })]);
  const a = space.link("a");
  socket.execute([
    addBridgeVlans(a, [
      { first: 100, last: 100, pvid: true, untagged: true },
      { first: 200, last: 299 },
      { first: 400, last: 401, untagged: true },
    ]),
    addBridgeVlans(br0, [{ first: 100, last: 100 }], { self: true }),
  ]);
  const seen = (dev: string) =>
    space.bridge("-c", "vlan", "show", "dev", dev)[0]?.vlans.map(({ vlan, vlanEnd, flags }: SeenVlan) => ({
      vlan,
      end: vlanEnd,
      flags,
    }));
  assert.deepEqual(seen("a"), [
    { vlan: 100, end: undefined, flags: ["PVID", "Egress Untagged"] },
    { vlan: 200, end: 299, flags: undefined },
    { vlan: 400, end: 401, flags: ["Egress Untagged"] },
  ]);
  assert.deepEqual(seen("br0"), [{ vlan: 100, end: undefined, flags: undefined }]);

  const listed = socket.dump(listBridgeVlans());
  const of = (link: number) => listed.find((each) => each.link === link);
  assert.deepEqual(of(a.index), {
    link: a.index,
    master: br0.index,
    vlans: [
      { first: 100, last: 100, pvid: true, untagged: true },
      { first: 200, last: 299, pvid: false, untagged: false },
      { first: 400, last: 401, pvid: false, untagged: true },
    ],
  });
  assert.equal(of(br0.index)?.master, br0.index);
  assert.deepEqual(of(br0.index)?.vlans, [{ first: 100, last: 100, pvid: false, untagged: false }]);

  socket.execute([
    removeBridgeVlans(a, [
      { first: 210, last: 299 },
      { first: 400, last: 401 },
    ]),
    removeBridgeVlans(br0, [{ first: 100, last: 100 }], { self: true }),
  ]);
  assert.deepEqual(
    seen("a").map((each: { vlan: number }) => each.vlan),
    [100, 200],
  );
  assert.equal(seen("br0"), undefined);
  assert.throws(
    () => socket.execute([addBridgeVlans(a, [{ first: 5000, last: 5000 }])]),
    (error) => isNetlinkErrno(error, errno.EINVAL) && /^cannot add VLAN 5000 to a: /.test(error.message),
  );
});

test("a VLAN of a bridge is a link of its own, also in another namespace", (t) => {
  const space = new TestNamespace(t);
  const other = new TestNamespace(t);
  const { socket } = space;
  socket.execute([createLink(bridge(), { name: "br0", up: true })]);
  const br0 = space.link("br0");
  const lower = br0.index;
  socket.execute([
    createLink(vlan(100), { name: "br0.100", lower, mtu: 1400, up: true }),
    createLink(vlan(200, { protocol: 0x88a8 }), { name: "eth0", lower, netnsFd: other.fd }),
  ]);
  const [seen] = space.ip("link", "show", "dev", "br0.100");
  assert.deepEqual([seen.link, seen.mtu, seen.linkinfo.info_kind], ["br0", 1400, "vlan"]);
  assert.deepEqual([seen.linkinfo.info_data.id, seen.linkinfo.info_data.protocol], [100, "802.1Q"]);
  const inner = space.link("br0.100");
  assert.equal(inner.lower, br0.index);
  assert.equal(inner.lowerNamespace, undefined);
  assert.deepEqual(readVlan(inner), { id: 100, protocol: 0x8100, looseBinding: false });
  const moved = other.link("eth0");
  assert.deepEqual(readVlan(moved), { id: 200, protocol: 0x88a8, looseBinding: false });
  assert.equal(moved.lower, br0.index);
  assert.equal(typeof moved.lowerNamespace, "number");
  assert.throws(
    () => socket.execute([createLink(vlan(4095), { name: "bad", lower })]),
    (error) => isNetlinkErrno(error, errno.ERANGE, errno.EINVAL),
  );
});
