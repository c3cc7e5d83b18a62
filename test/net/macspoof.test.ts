import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseMac } from "../../src/address/mac.ts";
import { checkMacSpoofCheck } from "../../src/net/macspoof/check.ts";
import { collectMacSpoofChecks } from "../../src/net/macspoof/gc.ts";
import { protectFromSpoofing, removeMacSpoofCheck } from "../../src/net/macspoof/macspoof.ts";
import { CniError } from "../../src/spec/errors.ts";
import { TestNamespace } from "../netlink/namespaces.ts";
import { HostNamespace } from "./host-namespace.ts";

const mac = parseMac("02:00:5e:00:53:01")!;
const otherMac = parseMac("02:00:5e:00:53:02")!;

/** What stays for the next container. */
const REST = [
  "table bridge nat {",
  "chain PREROUTING {",
  "type filter hook prerouting priority dstnat; policy accept;",
];

function chainsOf(id: string, port: string): string[] {
  return [
    `iifname "${port}" jump cni-br-iface-${id} comment "macspoofchk-${id}"`,
    `chain cni-br-iface-${id} {`,
    `jump cni-br-iface-${id}-mac comment "macspoofchk-${id}"`,
    `chain cni-br-iface-${id}-mac {`,
    `ether saddr ${mac} return comment "macspoofchk-${id}"`,
    `drop comment "macspoofchk-${id}"`,
  ];
}

function hostOf(t: TestContext): HostNamespace {
  const host = new HostNamespace(t);
  t.after(() => host.netns.route.close());
  return host;
}

test("the chains and rules that other implementations know", (t) => {
  const host = hostOf(t);
  const done = protectFromSpoofing(host.netns, { id: "abc-eth0", port: "veth0", mac });
  assert.deepEqual(host.ruleset(), [...REST, ...chainsOf("abc-eth0", "veth0")]);
  done.remove();
  assert.deepEqual(host.ruleset(), REST);
  removeMacSpoofCheck(host.netns, "abc-eth0");
  assert.deepEqual(host.ruleset(), REST);
});

test("removing where nothing ever was makes nothing", (t) => {
  const host = hostOf(t);
  removeMacSpoofCheck(host.netns, "abc-eth0");
  collectMacSpoofChecks(host.netns, []);
  assert.deepEqual(host.ruleset(), []);
});

test("what goes is what bears the name, not what begins with it", (t) => {
  const host = hostOf(t);
  for (const id of ["abc-eth1", "abc-eth10"]) protectFromSpoofing(host.netns, { id, port: "veth0", mac });
  removeMacSpoofCheck(host.netns, "abc-eth1");
  assert.deepEqual(host.ruleset(), [...REST, ...chainsOf("abc-eth10", "veth0")]);
});

test("once more with another port and address: the old ones hold no more, and all goes", (t) => {
  const host = hostOf(t);
  protectFromSpoofing(host.netns, { id: "abc-eth0", port: "veth0", mac: otherMac });
  protectFromSpoofing(host.netns, { id: "abc-eth0", port: "veth1", mac });
  assert.ok(!host.ruleset().some((line) => line.includes(`${otherMac}`)));
  removeMacSpoofCheck(host.netns, "abc-eth0");
  assert.deepEqual(host.ruleset(), REST);
});

test("what nft made for another implementation is checked and removed", (t) => {
  const host = hostOf(t);
  host.load(`
    add table bridge nat
    add chain bridge nat PREROUTING { type filter hook prerouting priority -300; policy accept; }
    add chain bridge nat cni-br-iface-abc-eth0
    add chain bridge nat cni-br-iface-abc-eth0-mac
    add rule bridge nat PREROUTING iifname "veth0" jump cni-br-iface-abc-eth0 comment "macspoofchk-abc-eth0"
    add rule bridge nat cni-br-iface-abc-eth0 jump cni-br-iface-abc-eth0-mac comment "macspoofchk-abc-eth0"
    add rule bridge nat cni-br-iface-abc-eth0-mac ether saddr ${mac} return comment "macspoofchk-abc-eth0"
    add rule bridge nat cni-br-iface-abc-eth0-mac drop comment "macspoofchk-abc-eth0"
  `);
  checkMacSpoofCheck(host.netns, { id: "abc-eth0", port: "veth0", mac });
  removeMacSpoofCheck(host.netns, "abc-eth0");
  assert.deepEqual(host.ruleset(), REST);
});

test("CHECK finds what is missing or different", (t) => {
  const host = hostOf(t);
  const check = { id: "abc-eth0", port: "veth0", mac };
  const fails = (changes: Partial<typeof check> = {}) =>
    assert.throws(() => checkMacSpoofCheck(host.netns, { ...check, ...changes }), CniError);
  fails();
  protectFromSpoofing(host.netns, check);
  checkMacSpoofCheck(host.netns, check);
  fails({ mac: otherMac });
  fails({ port: "veth1" });
  fails({ id: "abc-eth1" });
  for (const chain of ["PREROUTING", "cni-br-iface-abc-eth0", "cni-br-iface-abc-eth0-mac"]) {
    host.run("nft", `flush chain bridge nat ${chain}`);
    fails();
    removeMacSpoofCheck(host.netns, check.id);
    protectFromSpoofing(host.netns, check);
    checkMacSpoofCheck(host.netns, check);
  }
});

test("GC removes the checks whose port is gone, unless they are valid", (t) => {
  const host = hostOf(t);
  host.run("ip", "link", "add", "here", "type", "veth");
  protectFromSpoofing(host.netns, { id: "a-eth0", port: "here", mac });
  protectFromSpoofing(host.netns, { id: "b-eth0", port: "gone", mac });
  protectFromSpoofing(host.netns, { id: "c-eth0", port: "gone", mac });
  host.run("nft", "add rule bridge nat PREROUTING iifname other accept");
  collectMacSpoofChecks(host.netns, ["c-eth0"]);
  const ids = host.ruleset().flatMap((line) => /^chain cni-br-iface-(.*-eth0) /.exec(line)?.slice(1) ?? []);
  assert.deepEqual(ids.sort(), ["a-eth0", "c-eth0"]);
  collectMacSpoofChecks(host.netns, []);
  assert.deepEqual(host.ruleset(), [
    ...REST.slice(0, 3),
    ...chainsOf("a-eth0", "here").slice(0, 1),
    'iifname "other" accept',
    ...chainsOf("a-eth0", "here").slice(1),
  ]);
});

test("frames with another source address do not pass the bridge", (t) => {
  const host = hostOf(t);
  const ends = [new TestNamespace(t), new TestNamespace(t)] as const;
  host.run("ip", "link", "add", "br0", "type", "bridge");
  host.run("ip", "link", "set", "br0", "up");
  for (const [index, end] of ends.entries()) {
    host.run(
      "ip",
      "link",
      "add",
      `veth${index}`,
      "master",
      "br0",
      "up",
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      end.name,
    );
    end.run("ip", "link", "set", "eth0", "up");
    end.run("ip", "address", "add", `192.0.2.${index + 1}/24`, "dev", "eth0");
  }
  const [container, peer] = ends;
  const pings = (): boolean => {
    try {
      // ARP is a frame too.
      container.run("ip", "neighbour", "flush", "all");
      container.run("ping", "-c", "1", "-W", "1", "192.0.2.2");
      return true;
    } catch {
      return false;
    }
  };
  const own = parseMac(container.ip("link", "show", "eth0")[0].address)!;
  assert.equal(pings(), true);
  const done = protectFromSpoofing(host.netns, { id: "abc-eth0", port: "veth0", mac: own });
  assert.equal(pings(), true);
  container.run("ip", "link", "set", "eth0", "address", `${mac}`);
  assert.equal(pings(), false);
  container.run("ip", "link", "set", "eth0", "address", `${own}`);
  assert.equal(pings(), true);
  container.run("ip", "link", "set", "eth0", "address", `${mac}`);
  done.remove();
  peer.run("ip", "neighbour", "flush", "all");
  assert.equal(pings(), true);
});
