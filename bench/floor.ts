import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import type { Attacher } from "./attachments.ts";
import type { World } from "./world.ts";

/** Runs dist/bench/floor (floor.c). Throws with its output unless it succeeds. */
export function runFloor({ host, floor }: World, args: readonly string[]): void {
  const { exitCode, stderr } = host.run(floor, {
    argv: [floor, ...args],
    env: [],
    timeoutMs: 10_000,
    captureStderr: true,
  });
  if (exitCode !== 0) throw new Error(`floor ${args.join(" ")}: ${stderr.trim()}`);
}

/** The floor of an attachment. What the first container of a network costs more (bridge, table) is made here. */
export function floorOf(world: World, type: "bridge" | "ptp", number: number, ipMasq: boolean): Attacher {
  const leases = `${world.scratch}/floor-${number}`;
  const [gateway, bridge, table] = [`10.${number}.0.1`, `bench${number}`, `bench${number}`];
  mkdirSync(leases);
  if (type === "bridge") {
    execFileSync("ip", ["link", "add", bridge, "up", "type", "bridge"]);
    execFileSync("ip", ["address", "add", `${gateway}/16`, "dev", bridge]);
  }
  if (ipMasq) execFileSync("nft", ["-f", "-"], { input: masquerading(table, `10.${number}.0.0/16`) });
  const masquerade = ipMasq ? [table] : [];
  const address = (index: number) => `10.${number}.1.${index + 1}`;
  return {
    name: "floor",
    attach: (index, netns) =>
      runFloor(world, [
        "add",
        type,
        netns,
        leases,
        `f${number}-${index}`,
        address(index),
        gateway,
        bridge,
        ...masquerade,
      ]),
    detach: (index, netns) => runFloor(world, ["del", netns, leases, address(index), ...masquerade]),
  };
}

function masquerading(table: string, subnet: string): string {
  return `table inet ${table} {
    set sources { type ipv4_addr; }
    chain postrouting {
      type nat hook postrouting priority srcnat;
      ip saddr @sources ip daddr != { ${subnet}, 224.0.0.0/4 } masquerade
    }
  }`;
}
