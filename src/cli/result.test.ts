import assert from "node:assert/strict";
import { test } from "node:test";
import { readResult, resultText } from "./result.ts";

const raw = {
  "x-more": 1,
  dns: {
    search: ["a.example", "b.example"],
    nameservers: ["192.0.2.53"],
    domain: "a.example",
    options: ["ndots:2"],
  },
  routes: [
    { gw: "10.1.0.1", dst: "0.0.0.0/0" },
    { dst: "10.9.0.0/16", table: 100, mtu: 1400 },
  ],
  ips: [{ gateway: "10.1.0.1", address: "10.1.0.2/16", interface: 1 }, { address: "fd00::2/64" }],
  interfaces: [
    { mac: "00:00:5e:00:53:01", name: "cni0" },
    { sandbox: "/run/netns/x", name: "eth0", mtu: 1500 },
  ],
  cniVersion: "1.1.0",
};
const attachment = { containerId: "c1", netns: "/run/netns/x", ifName: "eth0" };

test("a result for people", async () => {
  const { result } = await readResult(raw);
  assert.equal(
    resultText("n", attachment, result),
    `eth0 in /run/netns/x is on network n
  address    10.1.0.2/16 gateway 10.1.0.1 on eth0
  address    fd00::2/64
  route      0.0.0.0/0 via 10.1.0.1
  route      10.9.0.0/16 mtu 1400 table 100
  dns        192.0.2.53
  domain     a.example
  search     a.example b.example
  options    ndots:2
  interface  cni0 00:00:5e:00:53:01 on the host
  interface  eth0 mtu 1500 in the container
  container  c1
`,
  );
  assert.equal(resultText("n", attachment, {}), "eth0 in /run/netns/x is on network n\n  container  c1\n");
});

test("a result as JSON has the members of its version in their order, four spaces deep", async () => {
  const { json } = await readResult(raw);
  assert.match(json, /^\{\n {4}"cniVersion": "1\.1\.0",\n {4}"interfaces": \[\n {8}\{\n {12}"name": "cni0",/);
  const { "x-more": _, ...known } = raw;
  assert.deepEqual(JSON.parse(json), known);
});

test("an old result keeps its shape", async () => {
  const old = { cniVersion: "0.2.0", ip4: { ip: "10.1.0.2/16" }, dns: {} };
  assert.deepEqual(JSON.parse((await readResult(old)).json), old);
});
