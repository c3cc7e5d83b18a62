import assert from "node:assert/strict";
import { test } from "node:test";
import { compileRe2 } from "./re2.ts";

/** Pattern, what it matches, what it does not: as Go's regexp.MatchString has it. */
const rows: readonly [pattern: string, matches: readonly string[], others: readonly string[]][] = [
  [
    "^net\\.ipv4\\.conf\\.IFNAME\\.(arp_ignore|forwarding)$",
    ["net.ipv4.conf.IFNAME.forwarding"],
    ["net.ipv4.conf.IFNAME.forwarding2"],
  ],
  ["net.core", ["net.core.somaxconn", "x.net/core"], ["net..core"]],
  ["\\Anet\\.ipv4\\.\\w+\\z", ["net.ipv4.ip_forward"], ["net.ipv4.ip_forward.x", "anet.ipv4.x"]],
  ["\\Qnet.core.\\E[a-z]+$", ["net.core.x"], ["net/core.x", "net.core.7"]],
  ["^\\Qa+b", ["a+bc"], ["aab"]],
  ["(?i)^NET", ["net.x", "NeT"], ["xnet"]],
  ["(?is)^NET.x", ["net\nx"], ["net"]],
  ["^(?P<root>net)\\.(?:ipv4|ipv6)", ["net.ipv6"], ["net.ipv5"]],
  ["^(?<root>net)$", ["net"], ["nets"]],
  ["^[[:alpha:]]+[[:digit:]_]$", ["abc1", "a_"], ["1a", "a:"]],
  ["^[^[:lower:].]+$", ["ABC", "1"], ["a", "."]],
  ["^[]a]+$", ["]a]"], ["b"]],
  ["^[^]a]+$", ["bc"], ["b]", "a"]],
  ["^[[a]+$", ["[a["], ["]"]],
  ["^[a\\]b]+$", ["a]b"], ["c"]],
  ["^[\\w-]+$", ["a-b"], ["a.b"]],
  ["^net\\_\\-\\/$", ["net_-/"], ["net\\_\\-\\/"]],
  ["^\\x6e\\x{65}t\\x{2e}x$", ["net.x"], ["netyx"]],
  ["^[\\x{61}-\\x{63}]+$", ["abc"], ["d"]],
  ["^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]],
  ["^a.*?b\\b", ["a-b", "axxb-"], ["bc"]],
  ["^(?:[[:xdigit:]]{2}|-)$", ["fF", "-"], ["f"]],
];
for (const [pattern, matches, others] of rows)
  test(`the regular expression ${pattern}`, () => {
    const compiled = compileRe2(pattern);
    for (const text of matches) assert.ok(compiled.test(text), text);
    for (const text of others) assert.ok(!compiled.test(text), text);
  });

test("what Go refuses, or what has no counterpart, is an error", () => {
  for (const pattern of [
    ...["(", "[a", "a**", "*", "a)", "[z-a]", "\\", "[[:nothing:]]"],
    ...["(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(a)\\1", "\\k<a>", "\\Z", "\\cA"],
    ...["\\pL", "\\C", "a(?i)b", "(?i:a)", "[[:^alpha:]]"],
  ])
    assert.throws(() => compileRe2(pattern), SyntaxError, pattern);
});
