import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import { parseIp } from "../../src/address/ip.ts";
import { errno } from "../../src/host/errno.ts";
import {
  addAddress,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
  listAddresses,
  removeAddress,
} from "../../src/netlink/address.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import { createLink } from "../../src/netlink/link.ts";
import { veth } from "../../src/netlink/links/veth.ts";
import { TestNamespace } from "./namespaces.ts";

const cidr = (text: string) => parseCidr(text)!;
const ip = (text: string) => parseIp(text)!;

/** A namespace with a veth pair, both ends up. */
function pair(t: ConstructorParameters<typeof TestNamespace>[0]): TestNamespace {
  const space = new TestNamespace(t);
  space.socket.execute([createLink(veth({ name: "b" }), { name: "a", up: true })]);
  return space;
}

test("addresses of both families are added, listed and removed", (t) => {
  const space = pair(t);
  const a = space.link("a");
  space.socket.execute([
    addAddress(a, { cidr: cidr("10.1.2.3/24"), broadcast: ip("10.1.2.255"), label: "a:cni" }),
    addAddress(a, { cidr: cidr("10.1.2.4/32"), scope: 253, flags: IFA_F_NOPREFIXROUTE }),
    addAddress(a, { cidr: cidr("10.1.9.1/32"), peer: ip("10.1.9.2") }),
    addAddress(a, { cidr: cidr("fd00::3/64"), flags: IFA_F_NODAD }),
    addAddress(space.link("b"), { cidr: cidr("10.1.3.3/24") }),
  ]);

  const seen = space.ip("address", "show", "dev", "a")[0].addr_info;
  const seenOf = (local: string) => seen.find((each: { local: string }) => each.local === local);
  assert.equal(seenOf("10.1.2.3").prefixlen, 24);
  assert.equal(seenOf("10.1.2.3").broadcast, "10.1.2.255");
  assert.equal(seenOf("10.1.2.3").label, "a:cni");
  assert.equal(seenOf("10.1.2.4").scope, "link");
  assert.equal(seenOf("10.1.2.4").noprefixroute, true);
  assert.equal(seenOf("10.1.9.1").address, "10.1.9.2");
  assert.equal(seenOf("fd00::3").nodad, true);
  assert.equal(seenOf("fd00::3").tentative, undefined);

  const listed = space.socket.dump(listAddresses({ link: a.index }));
  const of = (local: string) => listed.find((each) => String(each.cidr.ip) === local)!;
  assert.deepEqual(of("10.1.2.3"), {
    link: a.index,
    cidr: cidr("10.1.2.3/24"),
    broadcast: ip("10.1.2.255"),
    scope: 0,
    flags: IFA_F_PERMANENT,
    label: "a:cni",
  });
  assert.equal(of("10.1.2.4").flags, IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE);
  assert.deepEqual(of("10.1.9.1").peer, ip("10.1.9.2"));
  assert.equal(of("fd00::3").flags & IFA_F_TENTATIVE, 0);
  assert.ok(!listed.some((each) => String(each.cidr.ip) === "10.1.3.3"));

  const all = space.socket.dump(listAddresses()).map((each) => String(each.cidr));
  assert.ok(all.includes("10.1.3.3/24") && all.includes("fd00::3/64"));
  const v4 = space.socket.dump(listAddresses({ link: a.index, family: 4 }));
  assert.deepEqual(v4.map((each) => String(each.cidr)).toSorted(), [
    "10.1.2.3/24",
    "10.1.2.4/32",
    "10.1.9.1/32",
  ]);

  space.socket.execute(listed.map((each) => removeAddress(a, each)));
  assert.deepEqual(space.ip("address", "show", "dev", "a")[0].addr_info, []);
});

test("an address that is there and one that is not", (t) => {
  const space = pair(t);
  const a = space.link("a");
  const address = { cidr: cidr("10.1.2.3/24") };
  space.socket.execute([addAddress(a, address)]);
  assert.throws(
    () => space.socket.execute([addAddress(a, address)]),
    (error) =>
      isNetlinkErrno(error, errno.EEXIST) &&
      error.message.startsWith("cannot add address 10.1.2.3/24 to a: "),
  );
  assert.throws(
    () => space.socket.execute([removeAddress(a, { cidr: cidr("10.1.2.4/24") })]),
    (error) => isNetlinkErrno(error, errno.EADDRNOTAVAIL),
  );
});
