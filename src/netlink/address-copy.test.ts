import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../address/cidr.ts";
import { addAddress, decodeAddress, IFA_F_NODAD, IFA_F_NOPREFIXROUTE, IFA_F_TENTATIVE } from "./address.ts";
import { copyAddress, listWholeAddresses } from "./address-copy.ts";
import { Reader, Writer } from "./codec.ts";

const RTM_NEWADDR = 20;
const IFA_CACHEINFO = 6;
const eth0 = { index: 3, name: "eth0" };
const cidr = parseCidr("fd00::1/64")!;

test("an address comes back with what this code does not know; what was usable is not looked for again", () => {
  const lifetime = new Uint8Array(16).fill(7);
  for (const [flags, expected] of [
    [0, IFA_F_NODAD],
    [IFA_F_NOPREFIXROUTE, IFA_F_NOPREFIXROUTE | IFA_F_NODAD],
    [IFA_F_TENTATIVE, IFA_F_TENTATIVE],
  ] as const) {
    const { body } = addAddress(eth0, { cidr, flags });
    const message = new Writer().raw(body).bytesAttribute(IFA_CACHEINFO, lifetime).finish();
    const whole = listWholeAddresses({ link: 3 }).decode(message, RTM_NEWADDR)!;
    const copy = copyAddress(whole);
    assert.deepEqual(decodeAddress(copy.body, RTM_NEWADDR), { link: 3, cidr, scope: 0, flags: expected });
    assert.deepEqual(new Reader(copy.body).attributes(8).get(IFA_CACHEINFO)?.bytes, lifetime);
    assert.equal(copy.what, "add address fd00::1/64 again");
  }
  assert.equal(
    listWholeAddresses({ link: 4 }).decode(addAddress(eth0, { cidr }).body, RTM_NEWADDR),
    undefined,
  );
});
