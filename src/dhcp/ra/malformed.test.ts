import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { parseCidr } from "../../address/cidr.ts";
import { parseIp } from "../../address/ip.ts";
import { assertSaneName, damaged, decodedOrRefused } from "../malformed.node.ts";
import { isLinkLocal, isUnicast } from "../v6/address.ts";
import * as captures from "./captures.node.ts";
import { factsOf, withNews } from "./facts.ts";
import { decodeIcmp } from "./icmp.ts";
import { type Advertisement, decodeAdvertisement } from "./message.ts";

const ROUTER = parseIp("fe80::5eff:fe00:53fe")!;
const PACKETS = Object.values(captures);
const ADVERTISEMENTS = PACKETS.map((packet) => decodeIcmp(packet)!.icmp);

it("what real routers say is read", () => {
  const [dnsmasq, radvd] = [captures.DNSMASQ_ADVERTISEMENT, captures.RADVD_ADVERTISEMENT].map((packet) => {
    const { source, icmp } = decodeIcmp(packet)!;
    assert.ok(source.equals(ROUTER));
    return JSON.parse(JSON.stringify(decodeAdvertisement(icmp)));
  });
  const nameservers = (lifetime: number) =>
    ["2001:db8::53", "2001:db8::54"].map((address) => ({ address, lifetime }));
  const domains = (lifetime: number) =>
    ["eng.office.example", "office.example"].map((name) => ({ name, lifetime }));
  assert.deepEqual(dnsmasq, {
    ...{ managed: true, other: true, routerLifetime: 1800, preference: 0, mtu: 1400 },
    prefixes: [{ prefix: "2001:db8:7::/64", onLink: true, autonomous: false, valid: 3600, preferred: 3600 }],
    routes: [],
    nameservers: nameservers(3600),
    domains: domains(3600),
  });
  assert.deepEqual(radvd, {
    ...{ managed: false, other: true, routerLifetime: 12, preference: 1, mtu: 1400 },
    prefixes: [
      { prefix: "2001:db8:7::/64", onLink: true, autonomous: true, valid: 7200, preferred: 3600 },
      // JSON has no Infinity.
      { prefix: "fd00:7::/64", onLink: true, autonomous: false, valid: null, preferred: null },
    ],
    routes: [{ dst: "2001:db8:9::/48", preference: -1, lifetime: 1800 }],
    nameservers: nameservers(900),
    domains: domains(900),
  });
});

function assertSane(advertisement: Advertisement, size: number): void {
  const { prefixes, routes, nameservers, domains, mtu, preference } = advertisement;
  assert.ok(prefixes.length * 32 + routes.length * 8 + nameservers.length * 16 <= size);
  assert.ok([-1, 0, 1].includes(preference));
  for (const { prefix, valid, preferred } of prefixes) {
    assert.ok(prefix.equals(prefix.network) && prefix.prefixLength <= 128);
    assert.ok(preferred <= valid && preferred >= 0);
  }
  for (const { dst, preference, lifetime } of routes) {
    assert.ok(dst.equals(dst.network) && dst.prefixLength <= 128);
    assert.ok([-1, 0, 1].includes(preference) && lifetime >= 0);
  }
  for (const { address } of nameservers) assert.ok(isUnicast(address));
  for (const { name } of domains) assertSaneName(name);
  assert.ok(mtu === undefined || Number.isInteger(mtu));
  assertFewFacts(advertisement);
}

/** However much is said, and however often: what is kept of it stays small, and can be read again. */
function assertFewFacts(advertisement: Advertisement): void {
  const now = 1_000_000;
  const once = withNews([], factsOf(advertisement, ROUTER, now), now);
  const facts = withNews(once, factsOf(advertisement, parseIp("fe80::2")!, now + 1), now + 1);
  assert.ok(facts.length <= 7 * 16);
  for (const { kind, value, until } of facts) {
    assert.ok(until > now + 1);
    if (["preferred", "address", "on-link", "route"].includes(kind)) assert.ok(parseCidr(value), value);
    else if (kind === "nameserver") assert.ok(parseIp(value), value);
    else if (kind === "domain") assertSaneName(value);
    else assert.ok(Number(value) >= 1280, value);
    if (kind === "address") assert.ok(!isLinkLocal(parseCidr(value)!.ip));
  }
}

function readOrRefused(icmp: Uint8Array): void {
  const advertisement = decodedOrRefused(() => decodeAdvertisement(icmp));
  if (advertisement) assertSane(advertisement, icmp.length);
}

it("an advertisement of any bytes is read or refused", () => {
  const header = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
  const option = fc
    .tuple(fc.constantFrom(1, 3, 5, 24, 25, 31), fc.nat(9), fc.uint8Array({ maxLength: 72 }))
    .map(([type, units, body]) => [type, units, ...body.subarray(0, Math.max(0, units * 8 - 2))]);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(option, { maxLength: 12 }).map((options) => Uint8Array.from([...header, ...options.flat()])),
  );
  fc.assert(fc.property(bytes, readOrRefused), { numRuns: 1000 });
});

it("an advertisement of a real router, cut, changed and repeated in parts, is read or refused", () => {
  fc.assert(fc.property(damaged(ADVERTISEMENTS), readOrRefused), { numRuns: 1000 });
});

it("64 KB of options come to an end", () => {
  const header = ADVERTISEMENTS[0]!.subarray(0, 16);
  const options = ADVERTISEMENTS.map((message) => [...message.subarray(16)]);
  const small = [1, 3, 5, 24, 25, 31].map((type) => [type, 1, 0, 0, 0, 0, 0, 9]);
  for (const part of [...options, ...small]) {
    const all = Array.from({ length: Math.floor(65000 / part.length) }, () => part).flat();
    readOrRefused(Uint8Array.from([...header, ...all]));
  }
});

it("packets with anything in them are read or not taken", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged(PACKETS)), (packet) => {
      const icmp = decodeIcmp(packet)?.icmp;
      if (!icmp) return;
      assert.ok(icmp.length + 40 <= packet.length);
      readOrRefused(icmp);
    }),
    { numRuns: 1000 },
  );
});
