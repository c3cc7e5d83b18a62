import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errno } from "../host/errno.ts";
import { openHost } from "../host/node.node.ts";
import { spawnedPrograms } from "./programs.node.ts";
import { blockingPrograms, type Programs, runWhenWritten } from "./programs.ts";
import { Scripted } from "./scripted.node.ts";

const host = openHost();

for (const [name, programs] of [
  ["blocking", blockingPrograms(host)],
  ["spawned", spawnedPrograms()],
] as [string, Programs][]) {
  const sh = (script: string, timeoutMs = 20_000) =>
    programs.run("/bin/sh", {
      argv: ["sh", "-c", script, "zero", "one"],
      env: ["A=b=c"],
      stdin: host.encode("in\n"),
      timeoutMs,
      captureStderr: true,
    });

  test(`${name}: arguments, environment, streams and exit code`, async () => {
    assert.deepEqual(await sh('read x; echo "$x $1 $A"; echo err >&2; exit 7'), {
      exitCode: 7,
      signal: 0,
      stdout: "in one b=c\n",
      stderr: "err\n",
    });
  });

  test(`${name}: a signal`, async () => {
    const { exitCode, signal } = await sh("kill -TERM $$");
    assert.deepEqual([exitCode, signal], [-1, 15]);
  });

  test(`${name}: a program that does not read its input`, async () => {
    const stdin = new Uint8Array(1 << 20);
    const { exitCode } = await programs.run("/bin/true", {
      argv: ["true"],
      env: [],
      stdin,
      timeoutMs: 20_000,
    });
    assert.equal(exitCode, 0);
  });

  test(`${name}: much output`, async () => {
    const { stdout } = await sh("head -c 1000000 /dev/zero | tr '\\0' x");
    assert.equal(stdout.length, 1_000_000);
  });

  test(`${name}: what cannot be run`, async () => {
    const options = { argv: ["x"], env: [], timeoutMs: 1000 };
    await assert.rejects(programs.run("/does/not/exist", options), { errno: errno.ENOENT });
    await assert.rejects(programs.run("/etc/passwd", options), { errno: errno.EACCES });
  });

  test(`${name}: the children of a program that takes too long die with it`, async (t) => {
    const file = new Scripted(t).file("pid", "");
    await assert.rejects(sh(`sleep 60 & echo $! > ${file}; wait`, 200), { errno: errno.ETIMEDOUT });
    const pid = readFileSync(file, "utf8").trim();
    assert.match(pid, /^\d+$/);
    // Gone, or a zombie that nobody has asked for yet.
    const lives = () => / [^Z] /.test(host.readFileIfAny(`/proc/${pid}/stat`)?.replace(/.*\)/, "") ?? "");
    for (let attempt = 0; lives() && attempt < 500; attempt++) await programs.sleep(10);
    assert.equal(lives(), false);
  });

  test(`${name}: a child that keeps stdout open is not waited for`, async (t) => {
    const { stdout } = await sh("sleep 600 & echo $!");
    t.after(() => process.kill(Number(stdout)));
    assert.match(stdout, /^\d+\n$/);
  });
}

test("an executable that is still being written is tried again", async (t) => {
  const s = new Scripted(t);
  const file = s.file("busy", "#!/bin/sh\necho done\n");
  host.sys.chmod(file, 0o755);
  const naps: number[] = [];
  // The kernel refuses to run a file that is open for writing.
  const writer = host.open(file, 1);
  const programs: Programs = {
    run: blockingPrograms(host).run,
    sleep: async (ms) => {
      if (naps.push(ms) === 3) host.close(writer);
    },
  };
  const { stdout } = await runWhenWritten(programs, file, { argv: [file], env: [], timeoutMs: 20_000 });
  assert.equal(stdout, "done\n");
  assert.equal(naps.length, 3);
});
