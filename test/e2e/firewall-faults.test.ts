import assert from "node:assert/strict";
import { test } from "node:test";
import { attach, backends, bridge, by, held } from "./firewall-network.ts";
import { addLeavesNothing, delTells, INJECTIONS } from "./injection.ts";
import { World } from "./world.ts";

// System calls of firewall fail, one at a time: a failed ADD leaves nothing behind, a failed DEL tells of it.

for (const backend of backends)
  for (const injection of INJECTIONS.slice(0, backend === "nftables" ? 2 : 4))
    test(`ADD by ${backend}, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
      const world = await World.start(t);
      const container = world.container();
      const prevResult = attach(world, [bridge()], container);
      const config = { ...by(backend), ingressPolicy: "isolated" };
      const subject = {
        world,
        container,
        config,
        settings: { prevResult },
        state: () => [held(world), world.rules()],
      };
      assert.ok(addLeavesNothing(subject, injection) > 0);
    });

for (const backend of backends)
  for (const call of ["sendto", "recvfrom"])
    test(`DEL by ${backend} tells of each ${call} that fails, and the next DEL removes the rest`, async (t) => {
      const world = await World.start(t);
      const container = world.container();
      const prevResult = attach(world, [bridge()], container);
      const config = { ...by(backend), ingressPolicy: "isolated" };
      const subject = {
        world,
        container,
        config,
        settings: { prevResult },
        state: () => [held(world), world.rules()],
      };
      assert.ok(delTells(subject, call) > 0);
    });
