import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestNamespace } from "../netlink/namespaces.ts";
import { plumb } from "../programs.ts";

// Whatever stands in the directory of leases: the daemon starts, tells what it cannot use, and serves.

type Json = Record<string, unknown>;

const BOOT = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/** A record of a namespace that is there, with a lease for each family that ends long from now. */
function record(space: TestNamespace, containerId: string): Json {
  const settings = {
    ips: [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }],
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }],
    dns: { nameservers: ["10.1.0.1"], search: ["a.example"] },
    mtu: 1400,
  };
  const memory = { address: "10.1.0.5", server: "10.1.0.1", via: "02:00:00:00:00:01", rebindAt: 4e12 };
  const times = { renewAt: 3e12, expiresAt: 5e12 };
  const lease6 = { settings: { ips: [{ address: "fd00::5/128" }] }, ...times, memory: { server: "00:01" } };
  const facts = [{ kind: "prefix", value: "fd00::/64", router: "fe80::1", until: 5e12 }];
  return {
    ...{
      format: 1,
      boot: BOOT,
      containerId,
      network: "lan",
      ifName: "lo",
      netns: `/run/netns/${space.name}`,
    },
    identity: { netns: space.host.statOpen(space.fd).ino, link: 1 },
    wish: { ipv4: "dhcp", ipv6: "auto", request: [1], provide: [[12, "h"]], broadcast: false, mtu: true },
    leases: {
      4: { settings, ...times, memory },
      6: {
        settings: { ips: [{ address: "fd00::5/64" }], deprecated: ["fd00::6"] },
        ...times,
        memory: { server: "fe80::1", linkLocal: "fe80::2", mtuLimit: 1500, facts, leased: lease6 },
      },
    },
  };
}

const WRONG: readonly unknown[] = [
  ...[null, undefined, true, 0, -1, 0.5, 1e308, -1e308, "", "x", "\0", "a\nb", "../..", "/".repeat(5000)],
  ...["255.255.255.255/0", "::/0", [], [[]], [null], [{}], {}, { 4: 5 }],
];

/** All values that differ from this one at one place. */
function* damaged(value: unknown): Generator<unknown> {
  yield* WRONG;
  if (typeof value !== "object" || value === null) return;
  for (const [key, part] of Object.entries(value))
    for (const wrong of damaged(part))
      yield Array.isArray(value) ? value.with(Number(key), wrong) : { ...value, [key]: wrong };
}

/** The name of an attachment's record. */
function nameOf(containerId: unknown): string {
  return createHash("sha512").update(`${containerId}/lan/lo`).digest("hex").slice(0, 32);
}

interface Daemon {
  readonly process: ChildProcess;
  readonly said: Promise<string>;
  ask(command: string): Promise<Json>;
}

/** Starts a daemon beside what `write` writes into its directory of leases, and waits until it answers. */
async function start(t: TestContext, write: (leases: string) => void): Promise<Daemon> {
  const directory = mkdtempSync(join(tmpdir(), "plumb-records-"));
  const socketPath = join(directory, "dhcp.sock");
  mkdirSync(join(directory, "dhcp.leases"));
  write(join(directory, "dhcp.leases"));
  const process = spawn(plumb, ["dhcp", "daemon", "-socketpath", socketPath], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => {
    process.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  });
  const said = text(process.stderr!);
  const ask = async (command: string) => {
    const socket = connect(socketPath);
    await once(socket, "connect");
    socket.write(`{"command":"${command}"}\n`);
    return JSON.parse(await text(socket)) as Json;
  };
  while (process.exitCode === null && !(await ask("STATUS").catch(() => undefined))) await sleep(10);
  assert.equal(process.exitCode, null, process.exitCode === null ? "" : (await said).slice(-2000));
  return { process, said, ask };
}

/** Ends it by SIGTERM; gives what it has said. */
async function end({ process, said }: Daemon): Promise<string> {
  process.kill("SIGTERM");
  await once(process, "exit");
  assert.equal(process.exitCode, 0, await said);
  return said;
}

/** The containers that it has something for. */
async function containers(daemon: Daemon): Promise<unknown[]> {
  const { result } = (await daemon.ask("LIST")) as { result: { attachments: Json[] } };
  return result.attachments.map(({ containerId }) => containerId);
}

test("a record with anything at any of its places", async (t) => {
  const space = new TestNamespace(t);
  const all = [...damaged(record(space, "c"))];
  assert.ok(all.length > 500);
  const daemon = await start(t, (leases) => {
    for (const [number, value] of all.entries()) {
      const id = (value as Json | undefined)?.["containerId"] === "c" ? `c${number}` : "c";
      const text = JSON.stringify(id === "c" ? value : { ...(value as Json), containerId: id });
      writeFileSync(join(leases, nameOf(id === "c" ? number : id)), text ?? "");
    }
    writeFileSync(join(leases, nameOf("good")), JSON.stringify(record(space, "good")));
  });
  const held = await containers(daemon);
  assert.ok(held.includes("good"));
  const said = await end(daemon);
  assert.deepEqual(said.match(/.*\b(Type|Range|Internal|Reference)Error.*/g), null);
  assert.match(said, /cannot be read, and is .*\.bad now/);
});

test("files that are no records", async (t) => {
  const space = new TestNamespace(t);
  const good = JSON.stringify(record(space, "good"));
  let leases = "";
  const daemon = await start(t, (path) => {
    leases = path;
    const file = (name: string, content: string) => writeFileSync(join(path, name), content);
    file(nameOf("good"), good);
    file(nameOf("other"), good);
    file(nameOf("half"), good.slice(0, good.length >> 1));
    file(nameOf("long"), "x".repeat(10 << 20));
    file(nameOf("deep"), `${"[".repeat(200_000)}${"]".repeat(200_000)}`);
    file(nameOf("boot"), JSON.stringify({ ...record(space, "boot"), boot: "another" }));
    for (const name of [nameOf("directory"), `${nameOf("draft")}.tmp`, `${nameOf("blocked")}.bad`])
      mkdirSync(join(path, name, "full"), { recursive: true });
    file(nameOf("blocked"), "");
    symlinkSync("/nowhere", join(path, nameOf("nowhere")));
    symlinkSync(nameOf("loop"), join(path, nameOf("loop")));
    symlinkSync("/dev/zero", join(path, nameOf("zero")));
    file("strange\nname", good);
  });
  assert.deepEqual(await containers(daemon), ["good"]);
  const said = await end(daemon);
  for (const name of ["other", "half", "long", "deep", "directory", "nowhere", "loop", "zero", "blocked"])
    assert.match(said, new RegExp(`${nameOf(name)} cannot be read`), name);
  assert.ok(!readdirSync(leases).includes(nameOf("boot")));
});
