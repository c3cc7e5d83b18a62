import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Host } from "../../src/host/host.ts";
import { restoreIptables, saveIptables, transaction } from "../../src/net/iptables/programs.ts";
import { ruleText } from "../../src/net/iptables/rule-text.ts";
import { readIptables } from "../../src/net/iptables/table.ts";
import { listRules } from "../../src/netlink/nftables/rule.ts";
import { HostNamespace } from "./host-namespace.ts";

/** Rules as iptables-save prints them. */
const known = [
  "-j ACCEPT",
  "-d 10.1.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "-s 10.1.0.2/32 -d 10.2.0.0/16 -j DROP",
  "! -s 10.0.0.0/8 -j RETURN",
  "-i br0 ! -o br0 -j OTHER",
  "-i veth+ -j DROP",
  '-m comment --comment "a \\"quoted\\" text: (same-bridge|isolated)" -j OTHER',
];
const known6 = ["-s fd01::2/128 -j ACCEPT", "-d fd01::/64 -i br0 -j DROP"];
/** Of these, netlink tells more than we read. */
const unknown = [
  "-s 10.1.0.0/20 -j ACCEPT",
  "-p tcp -m tcp --dport 80 -j ACCEPT",
  "-m conntrack --ctstate NEW -j ACCEPT",
  "-m conntrack ! --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "-m mark --mark 0x1 -j ACCEPT",
  "-g OTHER",
  "-j LOG",
];

function withRules(t: TestContext, family: 4 | 6, rules: readonly string[]): HostNamespace {
  const host = new HostNamespace(t);
  const lines = [":C - [0:0]", ":OTHER - [0:0]", ...rules.map((rule) => `-A C ${rule}`)];
  restoreIptables(host.netns.host, family, transaction("filter", lines));
  return host;
}

test("rules read by netlink have the words of iptables-save, or none", (t) => {
  for (const [family, rules, expected] of [
    [4, known, known],
    [6, known6, known6],
    [4, unknown, unknown.map(() => undefined)],
  ] as const) {
    const { netns } = withRules(t, family, rules);
    const table = { family: family === 4 ? "ip" : "ip6", name: "filter" } as const;
    const texts = netns.netfilter.dump(listRules(table, "C")).map(ruleText);
    assert.deepEqual(
      texts,
      expected.map((rule) => rule && `-A C ${rule}`),
    );
    const saved = saveIptables(netns.host, family, "filter");
    for (const rule of rules) assert.ok(saved.includes(`-A C ${rule}`), rule);
  }
});

test("a table is read without a program, unless a rule is not understood, or the programs may speak to ip_tables", (t) => {
  const all = [...known, ...unknown];
  const host = withRules(t, 4, all);
  const { netns, programs } = host;
  const read = () => {
    programs.length = 0;
    const table = readIptables(netns, 4, "filter");
    assert.deepEqual([table.hasChain("C"), table.hasChain("D")], [true, false]);
    return table;
  };
  assert.deepEqual(read().rules("C", "veth"), ["-A C -i veth+ -j DROP"]);
  assert.deepEqual(programs, []);
  assert.deepEqual(
    read().rules("C", "\0"),
    all.map((rule) => `-A C ${rule}`),
  );
  assert.deepEqual(programs, ["iptables-save"]);
  // A program of a name that does not tell.
  const { sys } = netns.host;
  const plain = new Host({ ...sys, readlink: () => -22 });
  Object.assign(netns, { host: Object.assign(plain, { run: netns.host.run }) });
  assert.equal(read().rules("C", "veth").length, all.length);
  assert.deepEqual(programs, ["iptables-save"]);
});
