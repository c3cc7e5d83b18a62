import assert from "node:assert/strict";
import { test } from "node:test";
import { hasLegacyTable, restoreIptables, saveIptables } from "../../src/net/iptables/programs.ts";
import { CniError } from "../../src/spec/errors.ts";
import { HostNamespace } from "./host-namespace.ts";

test("all lines take effect, or none; what others made stays", (t) => {
  const { netns } = new HostNamespace(t);
  const rules = () => saveIptables(netns.host, 4, "nat").filter((line) => line.startsWith("-A "));
  restoreIptables(netns.host, 4, "*nat\n:C - [0:0]\n-A C -j ACCEPT\nCOMMIT\n");
  restoreIptables(netns.host, 4, "*nat\n-A POSTROUTING -j C\nCOMMIT\n");
  assert.deepEqual(rules(), ["-A POSTROUTING -j C", "-A C -j ACCEPT"]);
  assert.throws(
    () => restoreIptables(netns.host, 4, "*nat\n-A C -j DROP\n-A nowhere -j ACCEPT\nCOMMIT\n"),
    CniError,
  );
  assert.deepEqual(rules(), ["-A POSTROUTING -j C", "-A C -j ACCEPT"]);
  assert.deepEqual(
    saveIptables(netns.host, 6, "nat").filter((line) => line.startsWith("-A ")),
    [],
  );
});

test("a program that fails is named, with its own words", (t) => {
  const { netns } = new HostNamespace(t);
  assert.throws(
    () => restoreIptables(netns.host, 6, "*nat\n-A nowhere -j ACCEPT\nCOMMIT\n"),
    (error) =>
      error instanceof CniError &&
      /\/ip6tables-restore failed with exit code [1-9]/.test(error.message) &&
      error.details.includes("line 2"),
  );
});

test("a program that is not there is named, with the folders searched", (t) => {
  const { netns } = new HostNamespace(t);
  netns.host.variable = (name) => (name === "PATH" ? "relative:/proc/self/fdinfo" : undefined);
  assert.throws(
    () => saveIptables(netns.host, 4, "nat", "legacy"),
    (error) =>
      error instanceof CniError &&
      error.message === "program iptables-save not found" &&
      error.details.includes("/proc/self/fdinfo"),
  );
});

test("tables of ip_tables are told from those of nftables", (t) => {
  const host = new HostNamespace(t);
  host.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "ACCEPT");
  assert.equal(hasLegacyTable(host.netns.host, 4, "nat"), false);
  try {
    host.run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-j", "ACCEPT");
  } catch {
    t.skip("this kernel has no ip_tables");
    return;
  }
  assert.equal(hasLegacyTable(host.netns.host, 4, "nat"), true);
  assert.equal(hasLegacyTable(host.netns.host, 4, "mangle"), false);
  assert.equal(hasLegacyTable(host.netns.host, 6, "nat"), false);
});
