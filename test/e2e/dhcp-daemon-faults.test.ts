import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { DhcpNetwork, macvlan, needs, SOCKET } from "./dhcp-network.ts";
import { Program } from "./program.ts";

// System calls of the daemon that fail: what it was asked for is done all the same, or refused and undone.

const together = { concurrency: true };
const withDnsmasq = needs("dnsmasq");
const SHORT = ["-resendmax", "200ms", "-resendtimeout", "1500ms"];

/** Lets a `call` of a daemon that runs fail, `when` in the words of strace. What is given back ends that, and gives a trace. */
async function failing(
  t: TestContext,
  { world }: DhcpNetwork,
  daemon: Program,
  [call, errno, when]: readonly [call: string, errno: string, when: number | string],
): Promise<() => Promise<string[]>> {
  const file = join(world.bin, "trace");
  const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:error=${errno}:when=${when}`];
  const strace = new Program(t, world, ["strace", "-o", file, ...inject, "-p", `${daemon.pid}`]);
  await strace.says(/attached/);
  return async () => {
    await strace.stop("SIGINT");
    return readFileSync(file, "utf8").split("\n");
  };
}

describe("each of the daemon's calls fails once, from ADD to DEL", together, () => {
  for (const [call, errno, step] of [
    ["sendto", "ENETDOWN", 1],
    ["recvfrom", "ENETDOWN", 1],
    ["socket", "EMFILE", 1],
    ["open", "EMFILE", 1],
    // Every second one comes back from a namespace: who cannot do that must end.
    ["setns", "EPERM", 2],
    ["rename", "ENOSPC", 1],
  ] as const)
    test(`${call}: ${errno}`, withDnsmasq, async (t) => {
      const n = await DhcpNetwork.start(t);
      const { world: w } = n;
      await n.dnsmasq();
      const daemon = await n.daemon(...SHORT);
      const c1 = w.container();
      let nth = 1;
      for (let hit = true; hit; nth += step) {
        const stop = await failing(t, n, daemon, [call, errno, nth]);
        const { code, output } = w.call("ADD", macvlan, c1);
        const checked = code === 0 ? w.call("CHECK", macvlan, c1, { prevResult: output }) : undefined;
        const deleted = w.call("DEL", macvlan, c1);
        const injected = (await stop()).filter((line) => line.includes("INJECTED"));
        hit = injected.length > 0;
        const where = `${nth}: ${JSON.stringify([output, checked, deleted.output])}\n${injected}\n${daemon.output}`;
        assert.ok(daemon.running, where);
        if (code !== 0) {
          assert.ok(output.code === 11 || output.code === 100, where);
          assert.equal(c1.link(), undefined, where);
        }
        if (deleted.code !== 0) w.del(macvlan, c1);
        assert.deepEqual([n.records(), c1.link()], [[], undefined], where);
      }
      assert.ok(nth > 1 + step, "none was hit");
      w.check(macvlan, c1, w.add(macvlan, c1));
      assert.deepEqual(daemon.lines(/\b(Type|Range|Reference|Internal)Error/), []);
    });
});

describe("a call of the daemon fails again and again", together, () => {
  for (const [call, errno, when, expected] of [
    ["poll", "EINTR", "1+2", undefined],
    ["clone", "EAGAIN", "1+", undefined],
    ["rename", "EROFS", "1+", { code: 100, msg: /rename .*: EROFS/ }],
    ["bind", "ENODEV", "1+", { code: 11, msg: /no more tries/ }],
    ["setns", "EPERM", "1+", { code: 100, msg: /EPERM/ }],
  ] as const)
    test(
      `${call}: ${errno}: ADD ${expected ? "fails, and leaves nothing" : "succeeds"}`,
      withDnsmasq,
      async (t) => {
        const n = await DhcpNetwork.start(t);
        const { world: w } = n;
        await n.dnsmasq();
        const daemon = await n.daemon(...SHORT);
        const c1 = w.container();
        const stop = await failing(t, n, daemon, [call, errno, when]);
        const { code, output } = w.call("ADD", macvlan, c1);
        const said = JSON.stringify(output);
        assert.equal(code, expected ? 1 : 0, said);
        if (expected) {
          assert.equal(output.code, expected.code, said);
          assert.match(output.msg, expected.msg);
          assert.deepEqual([n.records(), n.leases(), c1.link()], [[], [], undefined]);
        } else w.check(macvlan, c1, output);
        await stop();
        w.del(macvlan, c1);
        w.add(macvlan, c1);
        assert.equal(daemon.running, true);
      },
    );
});

test("a limit of open files that cannot be raised is what there is", async (t) => {
  const n = await DhcpNetwork.start(t);
  // The first is that of setpriv, which lets the daemon end with the test; then the limit is read, then raised.
  const inject = ["-e", "trace=prlimit64", "-e", "inject=prlimit64:error=EPERM:when=3+"];
  const strace = ["strace", "-o", join(n.world.bin, "trace"), ...inject, "setpriv", "--pdeathsig", "KILL"];
  await n.daemonBy([...strace, join(n.world.bin, "dhcp")]);
  assert.match(readFileSync(join(n.world.bin, "trace"), "utf8"), /RLIMIT_NOFILE, \{.*INJECTED/);
  const idle = `for (let i = 0; i < 9; i++) require("node:net").connect("${SOCKET}", () => i === 8 && console.log("ready"));`;
  const program = new Program(t, n.world, [process.execPath, "-e", idle]);
  await program.says(/ready/);
  n.world.status(macvlan);
});
