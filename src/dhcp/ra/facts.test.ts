import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCidr } from "../../address/cidr.ts";
import { parseIp } from "../../address/ip.ts";
import { type Fact, factsOf, withNews } from "./facts.ts";
import type { Advertisement } from "./message.ts";

const HOUR = 3600;
const router = parseIp("fe80::1")!;
const other = parseIp("fe80::2")!;
const silent: Advertisement = {
  ...{ managed: false, other: false, routerLifetime: 0, preference: 0 },
  ...{ prefixes: [], routes: [], nameservers: [], domains: [] },
};
const prefix = (text: string, valid: number, preferred = valid) => ({
  ...{ prefix: parseCidr(text)!, onLink: false, autonomous: true },
  ...{ valid, preferred },
});
/** What holds: `kind value` and how many seconds more. */
const held = (facts: readonly Fact[], now: number) =>
  facts.map(({ kind, value, until }) => `${kind} ${value} ${(until - now) / 1000}`);

type Said = [seconds: number, advertisement: Partial<Advertisement>, from?: typeof router][];

/** Advertisements that come one after the other, each some seconds after the one before, and what holds then. */
function after(...said: Said): string[] {
  return allAfter(...said).filter((text) => !text.startsWith("preferred"));
}

/** As `after`, with the prefixes whose addresses are preferred. */
function allAfter(...said: Said): string[] {
  let facts: Fact[] = [];
  let now = 5000;
  for (const [seconds, advertisement, from = router] of said) {
    now += seconds * 1000;
    facts = withNews(facts, factsOf({ ...silent, ...advertisement }, from, now), now);
  }
  return held(facts, now);
}

describe("what routers say", () => {
  it("holds for as long as they say", () => {
    const said: Partial<Advertisement> = {
      routerLifetime: 1800,
      prefixes: [
        prefix("fd00:1::/64", HOUR),
        { ...prefix("fd00:2::/64", 60), onLink: true, autonomous: false },
      ],
      routes: [{ dst: parseCidr("fd00::/16")!, preference: 1, lifetime: Number.POSITIVE_INFINITY }],
      nameservers: [{ address: parseIp("fd00::53")!, lifetime: 30 }],
      domains: [{ name: "example.org", lifetime: 40 }],
      mtu: 1400,
    };
    assert.deepEqual(after([0, said]), [
      "route ::/0 1800",
      "address fd00:1::/64 3600",
      "on-link fd00:2::/64 60",
      "route fd00::/16 Infinity",
      "nameserver fd00::53 30",
      "domain example.org 40",
      "mtu 1400 Infinity",
    ]);
    // A router need not repeat everything.
    assert.deepEqual(after([0, said], [60, {}]), [
      "address fd00:1::/64 3540",
      "route fd00::/16 Infinity",
      "mtu 1400 Infinity",
    ]);
  });

  it("is taken back with a lifetime of 0, by who said it", () => {
    const routes = (lifetime: number) => [{ dst: parseCidr("fd00::/16")!, preference: 0, lifetime }];
    assert.deepEqual(after([0, { routes: routes(60), routerLifetime: 60 }], [1, { routes: routes(0) }]), []);
    assert.deepEqual(after([0, { routes: routes(60) }], [1, { routes: routes(0) }, other]), [
      "route fd00::/16 59",
    ]);
  });

  it("of prefixes and of the MTU is renewed by what comes later", () => {
    const onLink = (valid: number) => [{ ...prefix("fd00:2::/64", valid), onLink: true, autonomous: false }];
    assert.deepEqual(after([0, { prefixes: onLink(60) }], [1, { prefixes: onLink(30) }, other]), [
      "on-link fd00:2::/64 30",
    ]);
    assert.deepEqual(after([0, { mtu: 1400 }], [1, { mtu: 1300 }]), ["mtu 1300 Infinity"]);
  });

  // RFC 4862, section 5.5.3 e.
  const shortened: [before: number, later: number, said: number, holds: number][] = [
    [60, 10, 60, 60],
    [60, 10, 51, 51],
    [60, 10, 40, 50],
    [60, 10, 0, 50],
    [10 * HOUR, 10, HOUR, 2 * HOUR],
    [10 * HOUR, 10, 0, 2 * HOUR],
    [10 * HOUR, 10, 3 * HOUR, 3 * HOUR],
    [Number.POSITIVE_INFINITY, 10, 0, 2 * HOUR],
  ];
  for (const [before, later, said, holds] of shortened)
    it(`of addresses for ${before} s lets ${said} s make ${holds} s of it`, () => {
      const address = (seconds: number) => ({ prefixes: [prefix("fd00:1::/64", seconds)] });
      assert.deepEqual(after([0, address(before)], [later, address(said)]), [`address fd00:1::/64 ${holds}`]);
    });

  it("makes no address of what is not preferred, nor of a prefix that has not 64 bits", () => {
    const prefixes = [prefix("fd00:1::/64", 60, 0), prefix("fd00:2::/48", 60), prefix("fd00:3::/65", 60)];
    assert.deepEqual(after([0, { prefixes }]), []);
  });

  it("keeps an address that is not preferred any more", () => {
    const address = (preferred: number) => ({ prefixes: [prefix("fd00:1::/64", 60, preferred)] });
    const both = ["preferred fd00:1::/64 30", "address fd00:1::/64 60"];
    assert.deepEqual(allAfter([0, address(30)]), both);
    assert.deepEqual(allAfter([0, address(30)], [10, address(0)]), ["address fd00:1::/64 60"]);
    assert.deepEqual(allAfter([0, address(30)], [31, {}]), ["address fd00:1::/64 29"]);
    assert.deepEqual(
      allAfter([0, address(30)], [10, address(0)], [10, address(30)]).sort(),
      both.toReversed(),
    );
  });

  it("is limited to 16 pieces of a kind, and those that are there stay", () => {
    const prefixes = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => prefix(`fd00:${from + index}::/64`, 60));
    const kept = after([0, { prefixes: prefixes(1, 10), mtu: 1400 }], [0, { prefixes: prefixes(100, 50) }]);
    assert.equal(kept.length, 17);
    assert.deepEqual(kept.filter((text) => /fd00:\d::/.test(text)).length, 9);
  });

  it("does not lower the MTU below what IPv6 needs", () => {
    assert.deepEqual(after([0, { mtu: 1279 }]), []);
  });
});
