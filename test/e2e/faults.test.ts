import assert from "node:assert/strict";
import { test } from "node:test";
import { addLeavesNothing, delTells, INJECTIONS } from "./injection.ts";
import { type Json, World } from "./world.ts";

// System calls fail, one at a time: a failed ADD leaves nothing behind, a failed DEL tells of it.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const bridge = {
  type: "bridge",
  bridge: "br0",
  isDefaultGateway: true,
  ipMasq: true,
  macspoofchk: true,
  hairpinMode: true,
  ipam,
};
const ptp = { type: "ptp", ipMasq: true, ipam };
const byIptables = { ...bridge, ipMasqBackend: "iptables" };

function describe({ type, ipMasqBackend }: Json): string {
  return ipMasqBackend === undefined ? type : `${type} with ${ipMasqBackend}`;
}

// Files of IPAM, and the lock on them.
const injections = [...INJECTIONS, ["link", "ENOSPC"], ["socket", "EMFILE"]] as const;

for (const [config, calls] of [
  [bridge, injections],
  [ptp, injections.slice(0, 3)],
  [byIptables, injections.slice(0, 1)],
] as const)
  for (const injection of calls)
    test(`ADD of ${describe(config)}, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
      const world = await World.start(t);
      const tidy = () => world.exec(["ip", "link", "delete", "br0"]);
      assert.ok(addLeavesNothing({ world, container: world.container(), config, tidy }, injection) > 0);
    });

for (const [config, calls] of [
  [bridge, ["sendto", "recvfrom", "unlink"]],
  [ptp, ["sendto"]],
  [byIptables, ["sendto"]],
] as const)
  for (const call of calls)
    test(`DEL of ${describe(config)} tells of each ${call} that fails, and the next DEL removes the rest`, async (t) => {
      const world = await World.start(t);
      assert.ok(delTells({ world, container: world.container(), config }, call) > 0);
    });
