import assert from "node:assert/strict";
import { test } from "node:test";
import { besideReference, type Json, reference, type Verb, World } from "./world.ts";

// Runtimes attach many containers at a time, and several interfaces of one container.

const network = (name: string, subnet: string, more: object = {}) => ({
  name,
  type: "bridge",
  bridge: name,
  isGateway: true,
  ipMasq: true,
  ipam: { type: "host-local", ranges: [[{ subnet }]], routes: [{ dst: "0.0.0.0/0" }] },
  ...more,
});

const ids = Array.from({ length: 30 }, (_, index) => `c${index}`);

for (const type of ["bridge", "ptp"])
  test(`${type}: the first containers of a network come at once, and go at once`, async (t) => {
    const w = await World.start(t);
    const containers = ids.map((id) => w.container(id));
    const config = network("many", "10.7.0.0/24", { type });
    const all = async (verb: Verb) => {
      const answers = await Promise.all(containers.map((container) => w.start(verb, config, container)));
      for (const { code, output } of answers) assert.equal(code, 0, JSON.stringify(output));
      return answers.map(({ output }) => output);
    };
    const results = await all("ADD");
    const addresses = results.map(({ ips }: Json) => ips[0].address);
    assert.equal(new Set(addresses).size, ids.length);
    for (const [index, container] of containers.entries()) {
      assert.deepEqual(container.addresses(), [addresses[index]]);
      w.check(config, container, results[index]);
    }
    assert.equal(w.masqueraded().length, ids.length);
    assert.equal(containers[0]!.pings(addresses.at(-1)!.split("/")[0]!), true);
    await all("DEL");
    assert.deepEqual([w.reserved("many"), w.veths(), w.masqueraded()], [{}, [], []]);
  });

test("two networks of one container at once", async (t) => {
  const w = await World.start(t);
  const container = w.container();
  const networks = [
    network("one", "10.7.0.0/24"),
    network("two", "10.8.0.0/24", { isDefaultGateway: true, macspoofchk: true }),
  ];
  const both = (verb: Verb) =>
    Promise.all(networks.map((config, index) => w.start(verb, config, container, { ifName: `eth${index}` })));
  for (let round = 0; round < 5; round++) {
    for (const verb of ["ADD", "DEL"] as const) {
      for (const { code, output } of await both(verb)) assert.equal(code, 0, JSON.stringify(output));
      assert.deepEqual(
        [container.link("eth0") !== undefined, container.link("eth1") !== undefined],
        Array(2).fill(verb === "ADD"),
      );
      if (verb === "ADD")
        for (const gateway of ["10.7.0.1", "10.8.0.1"]) assert.equal(container.pings(gateway), true);
    }
  }
  assert.deepEqual([w.reserved("one"), w.reserved("two"), w.veths(), w.masqueraded()], [{}, {}, [], []]);
});

test("containers of ours and of the reference come and go on one bridge", besideReference, async (t) => {
  const w = await World.start(t);
  const containers = ids.map((id) => w.container(id));
  const config = { ...network("mixed", "10.7.0.0/24"), cniVersion: "1.0.0", ipMasqBackend: "iptables" };
  // The second half is deleted by the other one of the two.
  const pathOf = (index: number, verb: Verb) =>
    (index % 2 === 0) === (verb === "ADD" || index < ids.length / 2) ? w.bin : reference!;
  const all = async (verb: Verb) => {
    const calls = containers.map((container, index) =>
      w.start(verb, config, container, { path: pathOf(index, verb) }),
    );
    const answers = await Promise.all(calls);
    for (const { code, output } of answers) assert.equal(code, 0, JSON.stringify(output));
    return answers.map(({ output }) => output);
  };
  // The first makes the bridge: the reference is not made for two that do it at once.
  const first = w.container("first");
  const firstResult = w.add(config, first);
  const results = await all("ADD");
  assert.equal(new Set(results.map(({ ips }: Json) => ips[0].address)).size, ids.length);
  const [even, odd] = results.slice(-2).map(({ ips }: Json) => ips[0].address.split("/")[0]);
  for (const address of [even, odd, "10.7.0.1"]) assert.equal(first.pings(address), true, address);
  await all("DEL");
  w.check(config, first, firstResult);
  w.del(config, first);
  assert.deepEqual([w.reserved("mixed"), w.veths(), w.iptables()], [{}, [], []]);
});
