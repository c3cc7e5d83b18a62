// Containers come and go in great number, by several workers over two runtimes on one machine, and a tenth of them is killed
// in the middle. While they live, they are what they must be; in the end nothing is left. All comes of one seed:
//
//   SOAK=500 SOAK_SEED=7 node test/run.mjs test/runtimes/soak.test.ts
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Layers, side, withPrograms } from "./runtime-host.ts";
import { Soak } from "./soak/soak.ts";

const count = Number(process.env["SOAK"] ?? 100);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000);
const layers: Layers =
  process.env["SOAK_CONTAINERD"] === "next" ? ["next/runtimes", "runtimes"] : ["runtimes"];
const programs = ["containerd", "ctr", "runc", "podman", "conmon", "strace", "curl"];

describe("a soak", withPrograms(programs, layers), () => {
  it(`${count} containers`, async (t) => {
    t.diagnostic(`SOAK=${count} SOAK_SEED=${seed}`);
    const soak = await Soak.begin(t, { count, seed, layers });
    try {
      await soak.run();
    } finally {
      t.diagnostic(soak.summary());
    }
    const complaints = soak.complaints.slice(0, 40);
    if (side === "ours") assert.deepEqual(complaints, []);
    else for (const line of complaints) t.diagnostic(line);
  });
});
