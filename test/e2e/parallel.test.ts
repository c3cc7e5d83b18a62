import assert from "node:assert/strict";
import { test } from "node:test";
import { type Json, type Verb, World } from "./world.ts";

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

const ids = Array.from({ length: 16 }, (_, index) => `c${index}`);

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
    network("two", "10.8.0.0/24", { ipam: undefined, ipMasq: false }),
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
    }
  }
  assert.deepEqual([w.reserved("one"), w.veths(), w.masqueraded()], [{}, [], []]);
});
