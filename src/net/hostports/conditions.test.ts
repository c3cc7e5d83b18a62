import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCidr } from "../../address/cidr.ts";
import { Writer } from "../../netlink/codec.ts";
import type { Expression } from "../../netlink/nftables/expressions.ts";
import { matchInterface, matchIp, matchPort, matchProtocol } from "../../netlink/nftables/match.ts";
import { matchMark } from "../../netlink/nftables/match-state.ts";
import { CniError } from "../../spec/errors.ts";
import { parseConditions } from "./conditions.ts";

function written(alternatives: readonly (readonly Expression[])[]): string[] {
  return alternatives.map((expressions) => {
    const into = new Writer();
    for (const append of expressions) append(into);
    return into.finish().join();
  });
}

const cidr = (text: string) => parseCidr(text)!;
const not = { not: true };

const rows: [words: string[], family: 4 | 6, alternatives: Expression[][]][] = [
  [[], 4, [[]]],
  [["ip", "saddr", "10.1.0.0/16"], 4, [[matchIp("saddr", cidr("10.1.0.0/16"))]]],
  [["ip daddr 192.0.2.1"], 4, [[matchIp("daddr", cidr("192.0.2.1/32"))]]],
  [["ip6", "saddr", "==", "fd01::/64"], 6, [[matchIp("saddr", cidr("fd01::/64"))]]],
  [["ip", "saddr", "!=", "10.1.0.0/16"], 4, [[matchIp("saddr", cidr("10.1.0.0/16"), not)]]],
  [
    ["ip saddr {10.1.0.1,10.2.0.0/16}"],
    4,
    [[matchIp("saddr", cidr("10.1.0.1/32"))], [matchIp("saddr", cidr("10.2.0.0/16"))]],
  ],
  [
    ["ip", "saddr", "!=", "{", "10.1.0.1,", "10.2.0.1", "}"],
    4,
    [[matchIp("saddr", cidr("10.1.0.1/32"), not), matchIp("saddr", cidr("10.2.0.1/32"), not)]],
  ],
  [
    ['iifname { "eth0", "veth*" } ip saddr ne 10.1.0.1'],
    4,
    ["eth0", "veth*"].map((name) => [
      matchInterface("iifname", name),
      matchIp("saddr", cidr("10.1.0.1/32"), not),
    ]),
  ],
  [["meta iif eth0"], 4, [[matchInterface("iifname", "eth0")]]],
  [["oifname != lo"], 6, [[matchInterface("oifname", "lo", not)]]],
  [["meta mark 0x10"], 4, [[matchMark(16)]]],
  [["mark and 0xff == 16"], 4, [[matchMark(16, 255)]]],
  [["meta mark & 0xff != 16"], 4, [[matchMark(16, 255, not)]]],
  [["meta", "l4proto", "udp"], 4, [[matchProtocol("udp")]]],
  [["tcp dport 80"], 4, [[matchProtocol("tcp"), matchPort("dport", 80)]]],
  [["th sport != 53"], 4, [[matchPort("sport", 53, not)]]],
];

for (const [words, family, alternatives] of rows)
  test(`the conditions ${JSON.stringify(words)}`, () => {
    assert.deepEqual(written(parseConditions(words, family)), written(alternatives));
  });

for (const [words, family, read] of [
  [["ip6 saddr fd01::1"], 4, "ip6"],
  [["ip saddr 10.1.0.1"], 6, "ip"],
  [["ip saddr fd01::1"], 4, "ip saddr fd01::1"],
  [["ip saddr"], 4, "ip saddr"],
  [["ip saddr ! 10.1.0.1"], 4, "ip saddr !"],
  [["ip saddr { 10.1.0.1"], 4, "ip saddr { 10.1.0.1"],
  [["ip saddr 10.1.0.1 ct state new"], 4, "ct"],
  [["ip protocol tcp"], 4, "ip protocol"],
  [["tcp dport 1-9"], 4, "tcp dport 1-9"],
  [["tcp dport 70000"], 4, "tcp dport 70000"],
  [["meta l4proto != tcp"], 4, "meta l4proto != tcp"],
  [["iifname abcdefghijklmnop"], 4, "iifname abcdefghijklmnop"],
] as const)
  test(`not understood: ${words[0]}`, () => {
    assert.throws(
      () => parseConditions(words, family),
      ({ code, msg = "", message, details }: CniError & { msg?: string }) =>
        code === 7 &&
        (msg || message) === `conditionsV${family}: ${JSON.stringify(read)} is not understood` &&
        details.includes('"backend": "iptables"'),
    );
  });

test("any words are understood, or refused with code 7", () => {
  const word = fc.constantFrom(
    "ip",
    "saddr",
    "!=",
    "{",
    "}",
    ",",
    "10.1.0.1",
    "tcp",
    "dport",
    "80",
    "meta",
    '"',
    "x",
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      try {
        assert.ok(parseConditions(words, 4).length > 0);
      } catch (error) {
        assert.ok(error instanceof CniError && error.code === 7);
      }
    }),
  );
});

test("combinations have a limit", () => {
  const ports = Array.from({ length: 9 }, (_, index) => index + 1).join(",");
  assert.throws(() => parseConditions([`tcp dport {${ports}} tcp sport {${ports}}`], 4), CniError);
});
