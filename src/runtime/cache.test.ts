import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configToKeep, listCache, readCache, removeCache, writeCache } from "./cache.ts";
import { networkOf, Scripted } from "./scripted.node.ts";

const entry = {
  network: "net1",
  containerId: "c1",
  ifName: "eth0",
  netns: "/run/netns/x",
  config: '{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge"}]}',
  args: [["IgnoreUnknown", "1"]] as const,
  capabilityArgs: { portMappings: [{ hostPort: 80 }] },
  result: { cniVersion: "1.0.0", ips: [{ address: "10.1.0.2/16" }] },
};

test("an entry has libcni's place, shape and modes", (t) => {
  const { host, dir } = new Scripted(t);
  writeCache(host, dir, entry);
  const file = join(dir, "results/net1-c1-eth0");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(join(dir, "results")).mode & 0o777, 0o700);
  assert.equal(
    readFileSync(file, "utf8"),
    '{"kind":"cniCacheV1","containerId":"c1",' +
      '"config":"eyJjbmlWZXJzaW9uIjoiMS4wLjAiLCJuYW1lIjoibmV0MSIsInBsdWdpbnMiOlt7InR5cGUiOiJicmlkZ2UifV19",' +
      '"ifName":"eth0","networkName":"net1","netns":"/run/netns/x","cniArgs":[["IgnoreUnknown","1"]],' +
      '"capabilityArgs":{"portMappings":[{"hostPort":80}]},' +
      '"result":{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/16"}]}}',
  );
});

test("members that are empty are left out", (t) => {
  const { host, dir } = new Scripted(t);
  writeCache(host, dir, { ...entry, netns: "", config: "", args: [], capabilityArgs: {}, result: undefined });
  assert.equal(
    readFileSync(join(dir, "results/net1-c1-eth0"), "utf8"),
    '{"kind":"cniCacheV1","containerId":"c1","config":"","ifName":"eth0","networkName":"net1"}',
  );
});

test("an entry is read back, listed and removed", (t) => {
  const { host, dir } = new Scripted(t);
  writeCache(host, dir, entry);
  assert.deepEqual(readCache(host, dir, "net1", "c1", "eth0"), entry);
  assert.deepEqual(listCache(host, dir), { attachments: [entry], unreadable: [] });
  removeCache(host, dir, "net1", "c1", "eth0");
  removeCache(host, dir, "net1", "c1", "eth0");
  assert.equal(readCache(host, dir, "net1", "c1", "eth0"), undefined);
  assert.deepEqual(listCache(host, dir), { attachments: [], unreadable: [] });
});

test("without netns, the namespace is that of the result's interface", (t) => {
  const s = new Scripted(t);
  const netnsOf = (interfaces: unknown) => {
    writeCache(s.host, s.dir, { ...entry, netns: "", result: { interfaces } });
    return readCache(s.host, s.dir, "net1", "c1", "eth0")?.netns;
  };
  const [host, own] = [{ name: "eth0" }, { name: "eth0", sandbox: "/proc/7/fd/9" }];
  assert.equal(netnsOf([host, { name: "eth1", sandbox: "/run/netns/y" }, own]), "/proc/7/fd/9");
  const [nowhere, machine] = [
    { ...own, sandbox: "" },
    { ...own, sandbox: "vm-7" },
  ];
  for (const interfaces of [undefined, [], [host], [nowhere], [machine], ["eth0"]])
    assert.equal(netnsOf(interfaces), "", JSON.stringify(interfaces));
});

test("an entry of another attachment, whose names make the same file, is none", (t) => {
  const { host, dir } = new Scripted(t);
  writeCache(host, dir, { ...entry, network: "net1-c1", containerId: "x" });
  assert.equal(readCache(host, dir, "net1", "c1-x", "eth0"), undefined);
  removeCache(host, dir, "net1", "c1-x", "eth0");
  assert.equal(readCache(host, dir, "net1-c1", "x", "eth0")?.containerId, "x");
});

test("a file from before cniCacheV1 is the bare result", (t) => {
  const s = new Scripted(t);
  s.file("results/net1-c1-eth0", JSON.stringify(entry.result));
  assert.deepEqual(readCache(s.host, s.dir, "net1", "c1", "eth0")?.result, entry.result);
  assert.deepEqual(listCache(s.host, s.dir).unreadable, [join(s.dir, "results/net1-c1-eth0")]);
});

test("an unreadable file is no entry, and the list names it", (t) => {
  const s = new Scripted(t);
  writeCache(s.host, s.dir, entry);
  const names = ["a", "b", "c"].map((name, i) =>
    s.file(`results/${name}`, ["", "{", '{"kind":"cniCacheV1","networkName":"n"}'][i]!),
  );
  assert.equal(readCache(s.host, s.dir, "n", "", ""), undefined);
  assert.deepEqual(listCache(s.host, s.dir), { attachments: [entry], unreadable: names });
});

test("the configuration is kept as written, and whole when plugins came from the folder", () => {
  const network = networkOf([{ type: "a", more: 1 }], { other: true });
  const source = { cniVersion: "1.1.0", name: "net1", other: true, plugins: [{ type: "a", more: 1 }] };
  assert.deepEqual(JSON.parse(configToKeep(network)), source);
  const withFolder = { ...network, plugins: [...network.plugins, { type: "b" }] };
  assert.deepEqual(JSON.parse(configToKeep(withFolder)), {
    ...source,
    loadOnlyInlinedPlugins: true,
    plugins: [{ type: "a", more: 1 }, { type: "b" }],
  });
});
