import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
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

/** System calls that fail, each once in turn, and how. */
const injections = [
  // A request does not reach the kernel.
  ["sendto", "EPERM"],
  // It did, but nobody tells how it went.
  ["recvfrom", "EIO"],
  // Namespaces, settings, files of IPAM.
  ["open", "EACCES"],
  ["write", "ENOSPC"],
  ["link", "ENOSPC"],
  ["socket", "EMFILE"],
] as const;

for (const [config, calls] of [
  [bridge, injections],
  [ptp, injections.slice(0, 3)],
  [byIptables, injections.slice(0, 1)],
] as const)
  for (const [call, errno] of calls)
    test(`ADD of ${describe(config)}, where each ${call} fails once with ${errno}, leaves nothing`, async (t) => {
      const w = await World.start(t);
      const c1 = w.container();
      const state = () => ({
        ...w.state(),
        inside: c1.ip("address", "show"),
        routes: c1.routes(),
        routes6: c1.routes(6),
      });
      const undo = (result: Json) => {
        w.del(config, c1, { prevResult: result });
        w.exec(["ip", "link", "delete", "br0"]);
      };
      // What plugins make for good must be there before.
      undo(w.add(config, c1));
      const before = state();
      const trace = join(w.bin, "trace");
      const strace = (...options: string[]) => [
        "strace",
        "-qq",
        "-o",
        trace,
        "-e",
        `trace=${call}`,
        ...options,
      ];
      const traced = () =>
        readFileSync(trace, "utf8")
          .split("\n")
          .filter((line) => line.startsWith(`${call}(`));
      undo(w.add(config, c1, { wrap: strace() }));
      const count = traced().length;
      assert.ok(count > 0);
      for (let nth = 1; nth <= count; nth++) {
        const wrap = strace("-e", `inject=${call}:error=${errno}:when=${nth}`);
        const { code, output } = w.call("ADD", config, c1, { wrap });
        const where = `${call} ${nth} of ${count}: ${JSON.stringify(output)}\n${traced()[nth - 1]}`;
        if (code === 0) {
          // It can do without this call, and has done all.
          w.check(config, c1, output);
          undo(output);
        } else assert.doesNotMatch(output.details ?? "", /undone/, where);
        assert.deepEqual(state(), before, where);
      }
    });

for (const [config, calls] of [
  [bridge, ["sendto", "recvfrom", "unlink"]],
  [ptp, ["sendto"]],
  [byIptables, ["sendto"]],
] as const)
  for (const call of calls)
    test(`DEL of ${describe(config)} tells of each ${call} that fails, and the next DEL removes the rest`, async (t) => {
      const w = await World.start(t);
      const c1 = w.container();
      w.del(config, c1, { prevResult: w.add(config, c1) });
      const state = () => ({ ...w.state(), inside: c1.ip("address", "show") });
      const before = state();
      let failed = 0;
      for (let nth = 1, hit = true; hit; nth++) {
        const prevResult = w.add(config, c1);
        const trace = join(w.bin, "trace");
        const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:error=EACCES:when=${nth}`];
        const wrap = ["strace", "-qq", "-o", trace, ...inject];
        const { code, output } = w.call("DEL", config, c1, { prevResult, wrap });
        hit = readFileSync(trace, "utf8").includes("INJECTED");
        const where = `${call} ${nth}: ${JSON.stringify(output)}`;
        if (code !== 0) failed++;
        // What is still there must have been told.
        if (code === 0) assert.deepEqual(state(), before, where);
        w.del(config, c1);
        assert.deepEqual(state(), before, where);
      }
      assert.ok(failed > 0);
    });
