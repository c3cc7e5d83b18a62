import assert from "node:assert/strict";
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
