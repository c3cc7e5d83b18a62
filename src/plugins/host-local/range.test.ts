import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ip, parseIp } from "../../address/ip.ts";
import { ipRanges } from "../../spec/capabilities/ip-ranges.ts";
import { formatSet, type RangeSet, rangeOf, rangeSets, spansAfter } from "./range.ts";

const sets = (value: unknown) => rangeSets(ipRanges().parse(value, "ranges"));

test("what is left out is filled in", () => {
  const cases: [unknown, string, string][] = [
    [{ subnet: "192.0.2.0/24" }, "192.0.2.1-192.0.2.254", "192.0.2.1"],
    [{ subnet: "192.0.2.0/25" }, "192.0.2.1-192.0.2.126", "192.0.2.1"],
    [{ subnet: "192.0.2.12/30" }, "192.0.2.13-192.0.2.14", "192.0.2.13"],
    [{ subnet: "2001:db8:1::/64" }, "2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff", "2001:db8:1::1"],
    [{ subnet: "::ffff:192.0.2.0/120" }, "192.0.2.1-192.0.2.254", "192.0.2.1"],
    [
      { subnet: "192.0.2.0/24", rangeStart: "192.0.2.40", rangeEnd: "192.0.2.50", gateway: "192.0.2.254" },
      "192.0.2.40-192.0.2.50",
      "192.0.2.254",
    ],
  ];
  for (const [range, text, gateway] of cases) {
    const [set] = sets([[range]]);
    assert.equal(formatSet(set!), text);
    assert.equal(`${set![0]!.gateway}`, gateway);
  }
});

test("wrong sets are refused with code 7", () => {
  const v4 = { subnet: "192.0.2.0/24" };
  const cases: [unknown, string][] = [
    [[], "no IP ranges specified"],
    [[[v4], []], "invalid range set 1: empty range set"],
    [
      [[{ subnet: "192.0.2.12/24" }]],
      "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is 192.0.2.0",
    ],
    [[[{ subnet: "192.0.2.0/31" }]], "invalid range set 0: Network 192.0.2.0/31 too small to allocate from"],
    [[[{ subnet: "192.0.2.0/32" }]], "invalid range set 0: Network 192.0.2.0/32 too small to allocate from"],
    [
      [[{ subnet: "2001:db8::/127" }]],
      "invalid range set 0: Network 2001:db8::/127 too small to allocate from",
    ],
    [
      [[{ ...v4, rangeStart: "192.0.3.0" }]],
      "invalid range set 0: RangeStart 192.0.3.0 not in network 192.0.2.0/24",
    ],
    [
      [[{ ...v4, rangeEnd: "192.0.4.0" }]],
      "invalid range set 0: RangeEnd 192.0.4.0 not in network 192.0.2.0/24",
    ],
    [
      [[{ ...v4, rangeStart: "192.0.2.50", rangeEnd: "192.0.2.40" }]],
      "invalid range set 0: RangeStart 192.0.2.50 not in network 192.0.2.0/24",
    ],
    [[[v4, { subnet: "2001:db8::/64" }]], "invalid range set 0: mixed address families"],
    [
      [[{ subnet: "10.1.0.0/22" }, { subnet: "10.1.2.0/24" }]],
      "invalid range set 0: subnets 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap",
    ],
    [[[v4], [{ subnet: "192.0.2.128/25" }]], "range set 0 overlaps with 1"],
    [[[{ subnet: "10.0.0.0/24" }], [v4], [{ subnet: "192.0.0.0/16" }]], "range set 1 overlaps with 2"],
  ];
  for (const [value, message] of cases) assert.throws(() => sets(value), { code: 7, message });
});

test("parts of a subnet that share no address are fine", () => {
  const parts = [
    { subnet: "10.0.0.0/24", rangeEnd: "10.0.0.127" },
    { subnet: "10.0.0.0/24", rangeStart: "10.0.0.128" },
  ];
  assert.equal(formatSet(sets([parts])[0]!), "10.0.0.1-10.0.0.127,10.0.0.128-10.0.0.254");
  assert.equal(sets(parts.map((part) => [part])).length, 2);
});

/** All addresses in the order of the spans. */
function walk(set: RangeSet, last: Ip | undefined): string[] {
  const walked: string[] = [];
  for (const { from, to } of spansAfter(set, last))
    for (let ip = from; ; ip = ip.plus(1)) {
      walked.push(`${ip}`);
      if (ip.equals(to)) break;
    }
  return walked;
}

test("addresses come round robin", () => {
  const [set] = sets([[{ subnet: "10.0.0.0/29" }, { subnet: "10.0.1.0/30" }]]);
  const all = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.4",
    "10.0.0.5",
    "10.0.0.6",
    "10.0.1.1",
    "10.0.1.2",
  ];
  const cases: [string | undefined, number][] = [
    [undefined, 0],
    ["10.9.9.9", 0],
    ["10.0.0.1", 1],
    ["10.0.0.6", 6],
    ["10.0.1.2", 0],
  ];
  for (const [last, first] of cases)
    assert.deepEqual(walk(set!, last === undefined ? undefined : parseIp(last)), [
      ...all.slice(first),
      ...all.slice(0, first),
    ]);
});

test("each address comes once, whichever was the last", () => {
  const ranges = [
    { subnet: "10.0.0.0/28" },
    { subnet: "10.0.1.0/27", rangeStart: "10.0.1.7" },
    { subnet: "10.0.2.0/30" },
  ];
  const [set] = sets([ranges]);
  const all = walk(set!, undefined);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 }), (third, fourth) => {
      const last = new Ip(Uint8Array.of(10, 0, third, fourth));
      const walked = walk(set!, last);
      assert.deepEqual([...walked].sort(), [...all].sort());
      if (rangeOf(set!, last)) assert.equal(walked.at(-1), `${last}`);
    }),
  );
});
