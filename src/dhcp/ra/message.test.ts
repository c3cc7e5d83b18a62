import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WireError } from "../../netlink/codec.ts";
import {
  advertisement,
  bytes,
  domains,
  FOREVER,
  HIGH,
  LOW,
  mtu,
  nameservers,
  ON_LINK,
  prefix,
  route,
} from "./advertisement.node.ts";
import { decodeAdvertisement, encodeSolicitation } from "./message.ts";

/** JSON has no Infinity: it is null. */
const decoded = (...options: Uint8Array[]) =>
  JSON.parse(JSON.stringify(decodeAdvertisement(advertisement({}, ...options))));

const EVERYTHING = [
  bytes([1, 1, 2, 0, 0, 0, 0, 1]),
  prefix("2001:db8:1::5/64", FOREVER, 0xc0, 3600),
  prefix("fd00::/48", 600, ON_LINK, 300),
  mtu(1400),
  route("::/0", 60, HIGH, 1),
  route("2001:db8::/32", 60, LOW, 2),
  route("64:ff9b::/96", FOREVER),
  nameservers(900, "2001:db8::53", "fe80::1"),
  domains(900, "\x07example\x03org\x00\x04corp\x00"),
  bytes([200, 2], new Uint8Array(14)),
];

describe("a router advertisement", () => {
  const heads: [flags: number, lifetime: number, managed: boolean, other: boolean, preference: number][] = [
    [0x00, 1800, false, false, 0],
    [0x80, 0, true, false, 0],
    [0x40, 65535, false, true, 0],
    [0xc8, 1, true, true, 1],
    [0x18, 1, false, false, -1],
    // Reserved: as medium.
    [0x10, 1, false, false, 0],
  ];
  for (const [flags, lifetime, managed, other, preference] of heads)
    it(`tells what the router is by flags of ${flags} and a lifetime of ${lifetime} s`, () => {
      assert.deepEqual(decodeAdvertisement(advertisement({ flags, lifetime })), {
        ...{ managed, other, routerLifetime: lifetime, preference },
        ...{ prefixes: [], routes: [], nameservers: [], domains: [] },
      });
    });

  it("brings prefixes, routes, DNS and an MTU", () => {
    const message = decoded(...EVERYTHING);
    assert.deepEqual(message.prefixes, [
      { prefix: "2001:db8:1::/64", onLink: true, autonomous: true, valid: null, preferred: 3600 },
      { prefix: "fd00::/48", onLink: true, autonomous: false, valid: 600, preferred: 300 },
    ]);
    assert.equal(message.mtu, 1400);
    assert.deepEqual(message.routes, [
      { dst: "::/0", preference: 1, lifetime: 60 },
      { dst: "2001:db8::/32", preference: -1, lifetime: 60 },
      { dst: "64:ff9b::/96", preference: 0, lifetime: null },
    ]);
    assert.deepEqual(message.nameservers, [
      { address: "2001:db8::53", lifetime: 900 },
      { address: "fe80::1", lifetime: 900 },
    ]);
    assert.deepEqual(message.domains, [
      { name: "example.org", lifetime: 900 },
      { name: "corp", lifetime: 900 },
    ]);
  });

  const senseless: [what: string, option: Uint8Array][] = [
    ["a link-local prefix", prefix("fe80::/64", 600)],
    ["a multicast prefix", prefix("ff02::/64", 600)],
    ["the prefix of ::1", prefix("::/64", 600)],
    ["a prefix of 129 bits", prefix("2001:db8::/129", 600)],
    ["a prefix of all addresses", prefix("2001:db8::/0", 600)],
    ["a prefix preferred for longer than it is valid", prefix("2001:db8::/64", 600, 0xc0, 601)],
    ["a prefix in too short an option", bytes([3, 1, 64, 0xc0, 0, 0, 2, 0])],
    ["a route of the reserved preference", route("::/0", 60, 0x10, 1)],
    ["a route longer than its option", route("2001:db8::/65", 60, 0, 2)],
    ["a route of 129 bits", route("2001:db8::/129", 60)],
    ["a route to link-local addresses", route("fe80::/10", 60)],
    ["a route to multicast addresses", route("ff00::/8", 60)],
    ["a multicast nameserver", nameservers(60, "ff02::fb")],
    ["the nameserver ::1", nameservers(60, "::1")],
    ["a name with a line break", domains(60, "\x05a\nb.c\x00")],
    ["a name that does not end", domains(60, "\x07example\x3f1234567")],
    ["a name that points", domains(60, "\xc0\x08\x00")],
  ];
  for (const [what, option] of senseless)
    it(`is read without ${what}`, () => {
      const good = prefix("2001:db8:2::/64", 600);
      assert.deepEqual(decoded(option, good), decoded(good));
    });

  const header = advertisement({});
  const refused: [what: string, message: Uint8Array][] = [
    ["is too short", header.subarray(0, 15)],
    ["is of another type", header.with(0, 133)],
    ["has a code", header.with(1, 1)],
    ["has an option without length", bytes(header, [5, 0, 0, 0, 0, 0, 0, 0])],
    ["has an option that goes beyond its end", bytes(header, [5, 2, 0, 0, 0, 0, 5, 0])],
    ["ends within an option's header", bytes(header, [5])],
  ];
  for (const [what, message] of refused)
    it(`is refused if it ${what}`, () => assert.throws(() => decodeAdvertisement(message), WireError));
});

it("a router solicitation carries the MAC address", () => {
  assert.deepEqual(
    encodeSolicitation(new Uint8Array([2, 0, 0, 0, 0, 9])),
    bytes([133, 0, 0, 0, 0, 0, 0, 0], [1, 1, 2, 0, 0, 0, 0, 9]),
  );
});
