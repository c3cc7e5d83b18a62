import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { root } from "../root.ts";
import { DhcpNetwork, macvlan, needs } from "./dhcp-network.ts";
import type { Program } from "./program.ts";
import type { Json } from "./world.ts";

// Servers that do harm: the daemon survives, and takes nothing from them that is wrong. The tests wait side by side.

const together = { concurrency: true };

/** Starts such a server beside the others, as another machine on the cable. */
async function hostile(n: DhcpNetwork, behaviour: string): Promise<Program> {
  const machine = n.world.container("hostile");
  n.server.must(..."ip link add link wire name h0 type macvlan mode bridge".split(" "));
  n.server.must("ip", "link", "set", "h0", "netns", machine.netns);
  for (const command of [
    "address add 10.66.0.9/24 dev h0",
    "link set h0 up",
    "route add 255.255.255.255 dev h0",
  ])
    machine.must("ip", ...command.split(" "));
  const script = join(root, "test/e2e/hostile-server.ts");
  const program = n.spawn(
    ...["nsenter", `--net=${machine.netns}`, process.execPath],
    ...["--import", import.meta.resolve("ts-blank-space/register"), script, behaviour],
  );
  await program.says(/ready/);
  return program;
}

async function add(n: DhcpNetwork): Promise<Json> {
  return await n.world.start("ADD", macvlan, n.world.container());
}

describe("alone", together, () => {
  for (const behaviour of [
    "cut answers",
    "lengths beyond the end",
    "options in fields that refer to each other",
    "answers to others",
    "no server identifier",
    "addresses that are no host's",
    "noise",
    "offers, and refusals",
    "offers, and nothing more",
  ])
    test(`${behaviour}: ADD gives up, and the daemon goes on`, async (t) => {
      const n = await DhcpNetwork.start(t);
      const server = await hostile(n, behaviour);
      const daemon = await n.daemon("-resendtimeout", "2s", "-timeout", "1s");
      const { code, output } = await add(n);
      assert.equal(code, 1, JSON.stringify(output));
      assert.equal(output.code, 11, JSON.stringify(output));
      await server.says(/answered/);
      assert.deepEqual([daemon.running, n.records()], [true, []]);
      n.world.status(macvlan);
      // What others said is not written as lines of one's own.
      assert.deepEqual(daemon.lines(/^never/), []);
    });
});

describe("an answer with something wrong in it is taken without that", together, () => {
  for (const behaviour of [
    "a search list that loops",
    "a search list that points beyond its end",
    "a domain with a line of its own",
    "an MTU of 0",
    "half a router",
    "a router that is none",
    "routes of impossible length",
    "half a route",
    "a name server that is no host",
    "times in the wrong order",
    "a lease for ever",
    "a lease of no time",
  ])
    test(behaviour, async (t) => {
      const n = await DhcpNetwork.start(t);
      await hostile(n, behaviour);
      const daemon = await n.daemon();
      const { code, output } = await add(n);
      assert.equal(code, 0, JSON.stringify(output));
      assert.deepEqual(output.ips, [{ interface: 0, address: "10.66.0.200/24" }]);
      assert.deepEqual([output.routes, output.dns ?? {}], [undefined, {}]);
      assert.equal(daemon.running, true);
    });
});

describe("beside a good one", together, () => {
  for (const behaviour of [
    "cut answers",
    "answers to others",
    "addresses that are no host's",
    "offers, and refusals",
    "offers, and nothing more",
  ])
    test(`${behaviour}: the good one's is taken`, needs("dnsmasq"), async (t) => {
      const n = await DhcpNetwork.start(t);
      await hostile(n, behaviour);
      await n.dnsmasq();
      await n.daemon("-timeout", "1s");
      const { code, output } = await add(n);
      assert.equal(code, 0, JSON.stringify(output));
      assert.deepEqual(n.leases(), ["10.66.0.50 c1/net/eth0"]);
    });
});
