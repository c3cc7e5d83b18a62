import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openHost } from "../../src/host/node.node.ts";
import { plumb } from "../programs.ts";

const STATUS = '{"command":"STATUS"}\n';
const OK = '{"result":{}}\n';

/** A folder for a daemon's files, and the daemons in it. */
class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), "plumb-daemon-"));
  readonly socket = join(this.directory, "cni/dhcp.sock");
  readonly #t: TestContext;

  constructor(t: TestContext) {
    this.#t = t;
    t.after(() => rmSync(this.directory, { recursive: true }));
  }

  /** Starts a daemon and waits until it answers. */
  async start(...flags: string[]): Promise<Daemon> {
    const daemon = this.spawn(plumb, "dhcp", "daemon", "-socketpath", this.socket, ...flags);
    await this.answers(daemon);
    return daemon;
  }

  spawn(program: string, ...args: string[]): Daemon {
    const process = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#t.after(() => process.kill("SIGKILL"));
    return { process, said: text(process.stderr!) };
  }

  async answers({ process, said }: Daemon): Promise<void> {
    while (process.exitCode === null && (await this.ask(STATUS).catch(() => "")) !== OK) await sleep(10);
    assert.equal(process.exitCode, null, process.exitCode === null ? "" : await said);
  }

  async ask(line: string): Promise<string> {
    const socket = connect(this.socket);
    await once(socket, "connect");
    socket.write(line);
    return text(socket);
  }
}

interface Daemon {
  readonly process: ChildProcess;
  readonly said: Promise<string>;
}

async function end({ process, said }: Daemon, signal: NodeJS.Signals): Promise<[number | null, string]> {
  process.kill(signal);
  if (process.exitCode === null) await once(process, "exit");
  return [process.exitCode, await said];
}

/** What is wrong; behind it stands what to do. */
function firstLine(text: string): string {
  return text.split("\n")[0]!;
}

test("the daemon listens for root alone, tells who it is, and leaves nothing", async (t) => {
  const bench = new Bench(t);
  const pidfile = join(bench.directory, "pid");
  const daemon = await bench.start("--pidfile", pidfile);
  assert.equal(statSync(bench.socket).mode & 0o777, 0o600);
  assert.equal(statSync(join(bench.directory, "cni")).mode & 0o777, 0o700);
  assert.equal(readFileSync(pidfile, "utf8"), String(daemon.process.pid));
  daemon.process.kill("SIGHUP");
  assert.equal(await bench.ask(STATUS), OK);
  assert.deepEqual(await end(daemon, "SIGTERM"), [0, ""]);
  assert.deepEqual([existsSync(bench.socket), existsSync(pidfile)], [false, false]);
});

test("it ends by SIGINT too, and while somebody is connected", async (t) => {
  const bench = new Bench(t);
  const daemon = await bench.start();
  const socket = connect(bench.socket);
  await once(socket, "connect");
  const closed = text(socket);
  assert.deepEqual(await end(daemon, "SIGINT"), [0, ""]);
  assert.equal(await closed, "");
});

test("it is called by its own name too", async (t) => {
  const bench = new Bench(t);
  const dhcp = join(bench.directory, "dhcp");
  symlinkSync(plumb, dhcp);
  const daemon = bench.spawn(dhcp, "daemon", `--socketpath=${bench.socket}`, "-timeout", "2s", "-broadcast");
  await bench.answers(daemon);
  const leases = spawnSync(dhcp, ["leases", "-socketpath", bench.socket], { encoding: "utf8" });
  assert.match(leases.stdout, /^CONTAINER +NETWORK +INTERFACE +ADDRESS/);
  await end(daemon, "SIGTERM");
  const none = spawnSync(plumb, ["dhcp", "leases", "-socketpath", bench.socket], { encoding: "utf8" });
  assert.deepEqual([none.status, none.stderr.split(":")[0]], [1, "dhcp leases"]);
});

test("all paths of the host begin with the prefix", async (t) => {
  const bench = new Bench(t);
  const flags = ["-socketpath", "/cni/dhcp.sock", "-hostprefix", bench.directory];
  const daemon = bench.spawn(plumb, "dhcp", "daemon", ...flags);
  await bench.answers(daemon);
  assert.ok(existsSync(join(bench.directory, "cni/dhcp.leases/lock")));
  const wish = { ipv4: "dhcp", ipv6: "none", request: [], provide: [], broadcast: false, mtu: false };
  const id = { containerId: "c", network: "n", ifName: "eth0" };
  const answer = await bench.ask(`${JSON.stringify({ command: "ADD", ...id, netns: "/netns/c", wish })}\n`);
  const { error } = JSON.parse(answer);
  assert.deepEqual(
    [error.code, error.msg],
    [100, `the DHCP daemon cannot reach it: namespace ${bench.directory}/netns/c does not exist any more`],
  );
  assert.match(error.details, /-hostprefix/);
  await end(daemon, "SIGTERM");
});

test("one daemon at a socket: a second is refused, a killed one's is replaced", async (t) => {
  const bench = new Bench(t);
  const daemon = await bench.start();
  const args = ["dhcp", "daemon", "-socketpath", bench.socket];
  const second = spawnSync(plumb, args, { encoding: "utf8" });
  assert.deepEqual(
    [second.status, firstLine(second.stderr)],
    [1, `dhcp daemon: another daemon is running: it holds ${bench.directory}/cni/dhcp.leases/lock`],
  );
  assert.equal(await bench.ask(STATUS), OK);
  await end(daemon, "SIGKILL");
  assert.ok(existsSync(bench.socket));
  await end(await bench.start(), "SIGTERM");
  // Another program listens there, which knows nothing of our lock.
  const other = createServer().listen(bench.socket);
  await once(other, "listening");
  const third = spawnSync(plumb, args, { encoding: "utf8" });
  assert.deepEqual(
    [third.status, firstLine(third.stderr)],
    [1, `dhcp daemon: another daemon is running: it answers at ${bench.socket}`],
  );
  other.close();
});

test("what it cannot start with is told in a line", (t) => {
  const bench = new Bench(t);
  const file = join(bench.directory, "file");
  writeFileSync(file, "");
  mkdirSync(join(bench.directory, "full"));
  const rows: [args: string[], code: number, line: RegExp][] = [
    [["-socketpath", file], 1, /file is there already, and is no socket$/m],
    [["-socketpath", `${file}/x.sock`], 1, /ENOTDIR/],
    [["-socketpath", `${bench.directory}/${"x".repeat(110)}`], 1, /the path of the socket has \d+ bytes/],
    [
      ["-socketpath", bench.socket, "-pidfile", "dhcp.pid"],
      1,
      /-pidfile dhcp.pid: the path must be absolute$/m,
    ],
    [["-socketpath", bench.socket, "-pidfile", `${file}/pid`], 1, /ENOTDIR/],
    [["-tiemout", "3s"], 2, /^dhcp daemon: unknown flag -tiemout$/m],
    [["-timeout", "3"], 2, /^dhcp daemon: -timeout: expected a duration/m],
  ];
  for (const [args, code, line] of rows) {
    const { status, stderr } = spawnSync(plumb, ["dhcp", "daemon", ...args], { encoding: "utf8" });
    assert.equal(status, code, stderr);
    assert.match(stderr, line);
    // What is to be done about it follows, indented, or for flags how to get help.
    const advice = stderr.trimEnd().split("\n").slice(1);
    assert.ok(advice.length < 2 && advice.every((line) => /^( {2}|See )/.test(line)), stderr);
    assert.equal(existsSync(bench.socket), false, `${args}`);
  }
  const help = spawnSync(plumb, ["dhcp", "daemon", "--help"], { encoding: "utf8" });
  assert.deepEqual([help.status, help.stderr], [0, ""]);
  assert.match(help.stdout, /^ {2}-resendtimeout DURATION .*208s/m);
});

test("a socket that systemd passes on is used, and left to it", async (t) => {
  const bench = new Bench(t);
  mkdirSync(join(bench.directory, "cni"));
  const host = openHost();
  const fd = host.sys.socket(-1, 1, 1, 0);
  t.after(() => host.close(fd));
  assert.equal(host.sys.bind(fd, Uint8Array.of(1, 0, ...host.encode(bench.socket), 0)), 0);
  assert.equal(host.sys.listen(fd, 10), 0);
  const run = (environment: string) => {
    const script = `${environment} exec ${plumb} dhcp daemon -socketpath ${bench.socket}`;
    const process = spawn("sh", ["-c", script], { stdio: ["ignore", "ignore", "pipe", fd] });
    t.after(() => process.kill("SIGKILL"));
    return { process, said: text(process.stderr!) };
  };
  const many = run("LISTEN_PID=$$ LISTEN_FDS=2");
  await once(many.process, "exit");
  assert.match(await many.said, /^dhcp daemon: systemd passes 2 sockets on: one is expected\n$/);
  const foreign = run("LISTEN_PID=1 LISTEN_FDS=1");
  await once(foreign.process, "exit");
  assert.match(await foreign.said, /another daemon is running/);
  const daemon = run("LISTEN_PID=$$ LISTEN_FDS=1");
  await bench.answers(daemon);
  assert.deepEqual(await end(daemon, "SIGTERM"), [0, ""]);
  assert.ok(existsSync(bench.socket));
});
