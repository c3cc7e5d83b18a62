import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyU32 } from "../../test/arbitraries.ts";
import { addBridgeVlans, listBridgeVlans, removeBridgeVlans, type VlanRange } from "./bridge-vlan.ts";
import { WireError, Writer } from "./codec.ts";

const RTM_NEWLINK = 16;
const port = { index: 3, name: "veth0" };
const list = listBridgeVlans();

test("VLANs come back as they went", () => {
  const anyRange: fc.Arbitrary<VlanRange> = fc
    .tuple(fc.integer({ min: 1, max: 4094 }), fc.nat(100), fc.boolean(), fc.boolean())
    .map(([first, more, pvid, untagged]) => ({ first, last: Math.min(4094, first + more), pvid, untagged }));
  fc.assert(
    fc.property(fc.array(anyRange), anyU32, fc.boolean(), (vlans, index, self) => {
      const { body } = addBridgeVlans({ index, name: "x" }, vlans, { self });
      assert.deepEqual(list.decode(body, RTM_NEWLINK), { link: index, master: index, vlans });
      assert.deepEqual(removeBridgeVlans({ index, name: "x" }, vlans, { self }).body, body);
    }),
  );
});

test("the bytes of a range on the bridge itself", () => {
  const { body, what } = addBridgeVlans(port, [{ first: 100, last: 200, untagged: true }], { self: true });
  assert.equal(what, "add VLAN 100-200 to veth0");
  assert.equal(
    Buffer.from(body).toString("hex"),
    "0700000003000000" +
      "0000000000000000" +
      "1c001a80" +
      "0600000002000000" +
      "080002000c006400" +
      "080002001400c800",
  );
});

test("a port tells its bridge; other messages are passed over", () => {
  const body = new Writer().u32(7).u32(3).zeros(8).u32Attribute(10, 9).finish();
  assert.deepEqual(list.decode(body, RTM_NEWLINK), { link: 3, master: 9, vlans: [] });
  assert.equal(list.decode(body, 17), undefined);
});

test("a range without a beginning is a WireError", () => {
  const body = new Writer()
    .u32(7)
    .u32(3)
    .zeros(8)
    .nest(26, (spec) => spec.u16(8).u16(2).u16(16).u16(5));
  assert.throws(() => list.decode(body.finish(), RTM_NEWLINK), WireError);
});
