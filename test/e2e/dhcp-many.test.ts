import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DhcpNetwork, macvlan, needs } from "./dhcp-network.ts";
import { Container } from "./world.ts";

const COUNT = 200;

test(
  `${COUNT} containers at once: all are served, and all leases given back`,
  needs("dnsmasq"),
  async (t) => {
    const n = await DhcpNetwork.start(t);
    const w = n.world;
    const ids = Array.from({ length: COUNT }, (_, i) => `c${i}`);
    w.must("sh", "-ec", `for id in ${ids.join(" ")}; do ip netns add $id; done`);
    await n.dnsmasqForMany();
    await n.daemon();
    const containers = ids.map((id) => new Container(w, id));
    const all = (verb: "ADD" | "DEL") =>
      Promise.all(containers.map((container) => w.start(verb, macvlan, container)));
    const added = await all("ADD");
    assert.deepEqual(
      added.filter(({ code }) => code !== 0),
      [],
    );
    const addresses = added.map(({ output }) => output.ips[0].address.replace("/16", ""));
    const names = n.leases();
    assert.equal(new Set(addresses).size, COUNT);
    assert.deepEqual(names, addresses.map((address, i) => `${address} c${i}/net/eth0`).sort());
    const deleted = await all("DEL");
    assert.deepEqual(
      deleted.filter(({ code }) => code !== 0),
      [],
    );
    assert.deepEqual(n.leases(), []);
  },
);

test("containers that come and go leave nothing in the daemon's memory", needs("dnsmasq"), async (t) => {
  const n = await DhcpNetwork.start(t);
  const w = n.world;
  const containers = Array.from({ length: 20 }, (_, i) => w.container(`come${i}`));
  await n.dnsmasqForMany();
  const daemon = await n.daemon("-probe", "0");
  const kilobytes = () =>
    Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))![1]);
  const round = async () => {
    for (const verb of ["ADD", "DEL"] as const)
      for (const { code, output } of await Promise.all(containers.map((one) => w.start(verb, macvlan, one))))
        assert.equal(code, 0, JSON.stringify(output));
  };
  for (let warming = 0; warming < 3; warming++) await round();
  const before = kilobytes();
  for (let rounds = 0; rounds < 12; rounds++) await round();
  // 240 attachments, each of some kilobytes while it is there.
  assert.ok(kilobytes() < before + 800, `${before} kB, then ${kilobytes()} kB`);
});
