import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyCidr, anyFamily, anyIp, anyName, anyPart, anyU32 } from "../../test/arbitraries.ts";
import { parseCidr } from "../address/cidr.ts";
import { type Address, addAddress, decodeAddress, listAddresses, removeAddress } from "./address.ts";
import { WireError, Writer } from "./codec.ts";

const eth0 = { index: 3, name: "eth0" };
const RTM_NEWADDR = 20;

test("an address comes back as it went", () => {
  const anyAddress = anyFamily.chain((family) =>
    fc.tuple(
      anyCidr(family),
      anyPart({
        peer: anyIp(family),
        broadcast: anyIp(family),
        scope: fc.nat(255),
        flags: anyU32,
        label: anyName,
      }),
    ),
  );
  fc.assert(
    fc.property(anyAddress, anyU32, ([cidr, rest], index) => {
      const address: Address = { cidr, ...rest };
      const { body, type } = addAddress({ index, name: "x" }, address);
      const { peer, ...others } = address;
      assert.deepEqual(decodeAddress(body, type), {
        link: index,
        scope: 0,
        flags: 0,
        ...others,
        ...(peer && !peer.equals(cidr.ip) && { peer }),
      });
      assert.deepEqual(removeAddress({ index, name: "x" }, address).body, body);
    }),
  );
});

test("the bytes of an address", () => {
  const { body, type, what } = addAddress(eth0, {
    cidr: parseCidr("10.1.2.3/24")!,
    scope: 253,
    flags: 0x202,
  });
  assert.equal(type, RTM_NEWADDR);
  assert.equal(what, "add address 10.1.2.3/24 to eth0");
  assert.equal(
    Buffer.from(body).toString("hex"),
    "021802fd03000000" + "080002000a010203" + "080001000a010203" + "0800080002020000",
  );
});

test("an IPv6 address comes without IFA_LOCAL", () => {
  const ip = parseCidr("fd00::3/64")!;
  const body = new Writer().u8(10).u8(64).u8(0x80).u8(0).u32(3).bytesAttribute(1, ip.ip.bytes).finish();
  assert.deepEqual(decodeAddress(body, RTM_NEWADDR), { link: 3, cidr: ip, scope: 0, flags: 0x80 });
});

test("unknown attributes, messages and families are passed over", () => {
  const { body } = addAddress(eth0, { cidr: parseCidr("10.1.2.3/24")! });
  const longer = new Writer().raw(body).bytesAttribute(0x3000, new Uint8Array(7)).finish();
  assert.deepEqual(decodeAddress(longer, RTM_NEWADDR), decodeAddress(body, RTM_NEWADDR));
  assert.equal(decodeAddress(body, 21), undefined);
  assert.equal(decodeAddress(new Writer().u8(28).zeros(7).finish(), RTM_NEWADDR), undefined);
});

test("an address of no IP's length, or none, is a WireError", () => {
  const message = () => new Writer().u32(2).u32(3);
  assert.throws(() => decodeAddress(message().finish(), RTM_NEWADDR), WireError);
  assert.throws(
    () => decodeAddress(message().bytesAttribute(1, new Uint8Array(5)).finish(), RTM_NEWADDR),
    WireError,
  );
});

test("a list leaves out what an old kernel did not filter", () => {
  const v4 = addAddress(eth0, { cidr: parseCidr("10.1.2.3/24")! });
  const v6 = addAddress({ index: 4, name: "eth1" }, { cidr: parseCidr("fd00::3/64")! });
  const kept = (filter: Parameters<typeof listAddresses>[0]) =>
    [v4, v6].filter(({ body, type }) => listAddresses(filter).decode(body, type)).length;
  assert.deepEqual(
    [kept({}), kept({ link: 3 }), kept({ link: 5 }), kept({ family: 6 }), kept({ link: 3, family: 6 })],
    [2, 1, 0, 1, 0],
  );
});
