import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { attach, backends, bridge, by, detach, held, NOTHING } from "./firewall-network.ts";
import { addLeavesNothing, delTells, INJECTIONS, type Subject } from "./injection.ts";
import { World } from "./world.ts";

// System calls of firewall fail, one at a time: a failed ADD leaves nothing behind, a failed DEL tells of it.

/** A container on a bridge, whose firewall is to keep it from its neighbours. */
async function isolated(t: TestContext, backend: (typeof backends)[number]): Promise<Subject> {
  const world = await World.start(t);
  const container = world.container();
  const prevResult = attach(world, [bridge()], container);
  return {
    world,
    container,
    config: { ...by(backend), ingressPolicy: "isolated" },
    settings: { prevResult },
    state: () => [held(world), world.rules()],
  };
}

for (const backend of backends)
  for (const injection of INJECTIONS.slice(0, backend === "nftables" ? 2 : 4))
    test(`ADD by ${backend}, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
      assert.ok(addLeavesNothing(await isolated(t, backend), injection) > 0);
    });

for (const backend of backends)
  for (const call of ["sendto", "recvfrom"])
    test(`DEL by ${backend} tells of each ${call} that fails, and the next DEL removes the rest`, async (t) => {
      assert.ok(delTells(await isolated(t, backend), call) > 0);
    });

for (const backend of backends)
  test(`what an ADD by ${backend} leaves that is killed, DEL removes, or GC`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = attach(w, [bridge()], c1);
    const config = { ...by(backend), ingressPolicy: "isolated" };
    let kills = 0;
    for (; ; kills++) {
      const inject = `inject=sendto,flock,clone:signal=SIGKILL:when=${kills + 1}`;
      const wrap = ["strace", "-qq", "-o", "/dev/null", "-e", inject];
      if (w.call("ADD", config, c1, { prevResult, wrap }).code === 0) break;
      if (kills % 2) w.gc(config, []);
      else w.del(config, c1);
      assert.deepEqual(held(w), NOTHING, inject);
    }
    assert.ok(kills >= 4);
  });

const damages: [backend: string, damage: string[]][] = [
  ["nftables", ["nft flush ruleset"]],
  ["nftables", ["nft delete chain inet cni_plugins_firewall forward"]],
  ["nftables", ["nft delete table inet cni_plugins_firewall"]],
  ["nftables", ["nft delete table bridge cni_plugins_firewall"]],
  ["nftables", ["nft flush set inet cni_plugins_firewall within"]],
  ["iptables", ["nft flush ruleset"]],
  ["iptables", ["iptables -F", "iptables -X"]],
];
test("after damage by hand, DEL succeeds, and the next ADD makes all whole", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  for (const [backend, damage] of damages) {
    const chain = [bridge(), { ...by(backend), ingressPolicy: "isolated" }];
    for (const lines of [damage, []]) {
      const prevResult = attach(w, chain, c1);
      w.check(chain[1], c1, prevResult);
      for (const line of lines) w.must(...line.split(" "));
      if (lines.length > 0) w.refused("CHECK", chain[1], c1, { prevResult });
      detach(w, chain, c1, { prevResult });
      assert.deepEqual(held(w), NOTHING, lines.join("; "));
    }
  }
});
