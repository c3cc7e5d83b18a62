import assert from "node:assert/strict";
import { test } from "node:test";
import { DhcpNetwork, macvlan, needs } from "./dhcp-network.ts";
import { addLeavesNothing, delTells, type Subject } from "./injection.ts";

// System calls of the plugin that fail, beside a daemon and a server that work.

async function subject(t: Parameters<typeof DhcpNetwork.start>[0]): Promise<Subject> {
  const n = await DhcpNetwork.start(t);
  await n.dnsmasq();
  await n.daemon();
  const { world } = n;
  const container = world.container();
  const state = () => ({
    host: world.state(),
    inside: container.ip("address", "show"),
    // What the daemon keeps. When the interface has gone before, the server cannot be told.
    records: n.records(),
  });
  return { world, container, config: macvlan, state };
}

for (const [call, errno] of [
  ["connect", "EACCES"],
  ["sendto", "EPERM"],
  ["recvfrom", "EIO"],
  ["poll", "ENOMEM"],
  ["open", "EACCES"],
] as const)
  test(`ADD with dhcp, where each ${call} fails once, leaves nothing`, needs("dnsmasq"), async (t) => {
    assert.ok(addLeavesNothing(await subject(t), [call, errno]) > 0);
  });

for (const call of ["connect", "sendto", "poll"])
  test(
    `DEL with dhcp, where each ${call} fails once, tells, and the next one removes the rest`,
    needs("dnsmasq"),
    async (t) => {
      assert.ok(delTells(await subject(t), call) > 0);
    },
  );
