import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { plumb } from "../programs.ts";
import { type Outcome, reference, type Settings, World } from "./world.ts";

// The command as people and scripts call it.

class Machine {
  readonly dir = mkdtempSync(join(tmpdir(), "plumb-cli-"));
  readonly #world: World;

  private constructor(world: World) {
    this.#world = world;
    for (const name of ["net.d", "bin"]) mkdirSync(join(this.dir, name));
  }

  static async start(t: TestContext): Promise<Machine> {
    const machine = new Machine(await World.start(t));
    t.after(() => rmSync(machine.dir, { recursive: true }));
    return machine;
  }

  /** A network whose plugins are the given ones, by name or with their configuration. */
  network(file: string, name: string, plugins: readonly (string | object)[], cniVersion = "1.1.0"): void {
    const objects = plugins.map((plugin) => (typeof plugin === "string" ? { type: plugin } : plugin));
    this.file(`net.d/${file}`, JSON.stringify({ cniVersion, name, plugins: objects }));
  }

  /** A plugin that is a shell script; it notes each call in `log`. */
  plugin(type: string, script: string): void {
    const line = `$CNI_COMMAND ${type} $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS $CNI_ARGS`;
    const file = this.file(`bin/${type}`, `#!/bin/sh\necho "${line}" >> ${this.dir}/log\n${script}\n`);
    chmodSync(file, 0o755);
  }

  /** The calls of scripted plugins: verb, type, container ID, interface, namespace, arguments. */
  log(): string[][] {
    const file = join(this.dir, "log");
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" ").filter((word) => word !== ""));
  }

  /** Verb and type of each call. */
  order(): string[] {
    return this.log().map(([verb, type]) => `${verb} ${type}`);
  }

  file(name: string, content: string): string {
    writeFileSync(join(this.dir, name), content);
    return join(this.dir, name);
  }

  spawn(command: readonly string[], { env = {} }: Settings = {}) {
    const [program, ...args] = this.#world.entering(command);
    return spawn(program!, args, {
      env: {
        PATH: process.env["PATH"],
        NETCONFPATH: join(this.dir, "net.d"),
        CNI_PATH: join(this.dir, "bin"),
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async exec(command: readonly string[], settings?: Settings): Promise<Outcome> {
    const child = this.spawn(command, settings);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, stdout, stderr };
  }

  plumb(words: string, settings?: Settings): Promise<Outcome> {
    return this.exec([plumb, ...words.split(" ")], settings);
  }

  /** What must not fail. */
  async must(words: string, settings?: Settings): Promise<string> {
    const { code, stdout, stderr } = await this.exec(words.split(" "), settings);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** What `plumb run` may leave nothing of. */
  async leftovers(): Promise<string> {
    // A file that is still mounted on cannot be removed: so this shows namespaces too.
    const places = [
      "/run/netns",
      "/run/plumb",
      "/var/lib/cni/results",
      "/var/lib/cni/plumb/locks/containers",
    ];
    const { stdout } = await this.exec(["find", ...places, "-type", "f"]);
    return stdout;
  }
}

const idOf = (path: string) => `cnitool-${createHash("sha512").update(path).digest("hex").slice(0, 20)}`;
const RESULT = `{"cniVersion":"1.1.0","interfaces":[{"name":"eth0"}],"ips":[{"address":"10.1.0.2/16"}]}`;
const PRINT_RESULT = `test $CNI_COMMAND != ADD || echo '${RESULT}'`;

test("add, check and del, as scripts for cnitool call them", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a"]);
  await m.must("ip netns add blue");
  const env = { CNI_ARGS: "K=V", CNI_IFNAME: "net1" };
  const added = await m.plumb("add n /var/run/../../run/netns/blue", { env });
  assert.deepEqual(added, { code: 0, stdout: JSON.stringify(JSON.parse(RESULT), null, 4), stderr: "" });
  assert.deepEqual(await m.plumb("check n /run/netns/blue", { env }), { code: 0, stdout: "", stderr: "" });
  assert.deepEqual(await m.plumb("status n /run/netns/blue", { env }), { code: 0, stdout: "", stderr: "" });
  assert.deepEqual(await m.plumb("del n /run/netns/blue", { env }), { code: 0, stdout: "", stderr: "" });
  const where = [idOf("/run/netns/blue"), "net1", "/run/netns/blue", "K=V"];
  assert.deepEqual(m.log(), [
    ["ADD", "a", ...where],
    ["CHECK", "a", ...where],
    ["STATUS", "a"],
    ["DEL", "a", ...where],
  ]);
  assert.equal(await m.leftovers(), "/run/netns/blue\n");
});

test("--id is the container ID; check and del then remember where the namespace was", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a"]);
  await m.must("ip netns add blue");
  await m.must(`${plumb} add --id web n /run/netns/blue`);
  for (const verb of ["check", "del", "del"]) await m.must(`${plumb} ${verb} --id web n`);
  assert.deepEqual(m.log(), [
    ["ADD", "a", "web", "eth0", "/run/netns/blue"],
    ["CHECK", "a", "web", "eth0", "/run/netns/blue"],
    ["DEL", "a", "web", "eth0", "/run/netns/blue"],
    // Nothing is known of it any more.
    ["DEL", "a", "web", "eth0"],
  ]);
  for (const id of ["a/b", ""]) {
    const { code, stderr } = await m.exec([plumb, "add", "--id", id, "n", "/run/netns/blue"]);
    assert.equal(code, 1);
    assert.match(stderr, /containerID/);
  }
});

test("on a terminal the answers are for people", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a"]);
  const onTerminal = async (words: string) => {
    const { stdout } = await m.exec(["script", "-qec", `${plumb} ${words}`, "/dev/null"]);
    return stdout.replaceAll("\r\n", "\n");
  };
  assert.equal(
    await onTerminal("add n /run/netns/blue"),
    `eth0 in /run/netns/blue is on network n
  address    10.1.0.2/16
  interface  eth0 on the host
  container  ${idOf("/run/netns/blue")}
`,
  );
  assert.equal(
    await onTerminal("check n /run/netns/blue"),
    "eth0 in /run/netns/blue is on network n, as it was made\n",
  );
  assert.equal(await onTerminal("status n"), "network n is ready\n");
  m.network("20.conflist", "old", ["a"], "1.0.0");
  assert.equal(
    await onTerminal("status old"),
    "network old was not asked: its cniVersion is 1.0.0, and STATUS came with 1.1.0\n",
  );
  assert.equal(await onTerminal("del n /run/netns/blue"), "eth0 in /run/netns/blue is off network n\n");
  assert.equal(await onTerminal("add --json n /x"), `${JSON.stringify(JSON.parse(RESULT), null, 4)}\n`);
});

test("a failed add leaves nothing behind, but an attachment from before stays", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.plugin("b", `test $CNI_COMMAND = DEL || { echo '{"code":111,"msg":"no way","details":"why"}'; exit 1; }`);
  m.network("10.conflist", "bad", ["a", "b"]);
  const failed = await m.plumb("add bad /run/netns/blue");
  assert.deepEqual(failed, {
    code: 1,
    stdout: "",
    stderr:
      'plumb: plugin type="b" failed (add): no way\n  why\n  (code 111, ADD of plugin b, network bad)\n',
  });
  assert.deepEqual(m.order(), ["ADD a", "ADD b", "DEL b", "DEL a"]);
  const json = await m.plumb("add --json bad /run/netns/blue");
  assert.equal(json.code, 1);
  assert.deepEqual(JSON.parse(json.stdout), {
    cniVersion: "1.1.0",
    code: 111,
    msg: 'plugin type="b" failed (add): no way',
    details: "why",
    plugin: "b",
    network: "bad",
  });

  m.network("20.conflist", "n", ["a"]);
  await m.must(`${plumb} add n /run/netns/blue`);
  m.network("20.conflist", "n", ["a", "b"]);
  const before = m.log().length;
  assert.equal((await m.plumb("add n /run/netns/blue")).code, 1);
  assert.deepEqual(m.order().slice(before), ["ADD a", "ADD b"]);
});

test("what the same plugin says of the configuration at ADD and at DEL is told once", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a", "brigde"]);
  const missing = `failed to find plugin "brigde" in path [${m.dir}/bin]`;
  const { code, stderr } = await m.plumb("add n /run/netns/blue");
  assert.equal(code, 1);
  assert.match(stderr, /^plumb: plugin type="brigde" failed \(add\): .*\n {2}Put .*\n {2}\(code 7, .*\)\n$/);
  assert.ok(stderr.includes(missing));
  assert.deepEqual(m.order(), ["ADD a", "DEL a"]);
});

test("CAP_ARGS that no plugin takes are warned of", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.plugin("b", PRINT_RESULT);
  m.network("10.conflist", "n", ["a", { type: "b", capabilities: { portMappings: true, ips: false } }]);
  m.network("20.conflist", "plain", ["a"]);
  const told = async (words: string, args: object) => {
    const { code, stderr } = await m.plumb(words, { env: { CAP_ARGS: JSON.stringify(args) } });
    assert.equal(code, 0, stderr);
    return stderr;
  };
  const portMappings = [{ hostPort: 80 }];
  assert.equal(await told("add n /run/netns/blue", { portMappings, ips: [] }), "");
  const ignored = (name: string, network: string, rest = "") =>
    `plumb: "${name}" of CAP_ARGS is ignored: no plugin of network ${network} has it in its "capabilities"${rest}\n`;
  const known = ', they have "portMappings"';
  assert.equal(
    await told("add n /run/netns/red", { portmappings: portMappings, ips: ["10.1.0.2"] }),
    ignored("portmappings", "n", known) + ignored("ips", "n", known),
  );
  assert.equal(await told("add plain /run/netns/green", { portMappings }), ignored("portMappings", "plain"));
  assert.equal(await told("run --net plain,n -- true", { portMappings }), "");
  assert.equal(await told("run --net plain -- true", { portMappings }), ignored("portMappings", "plain"));
});

test("del remembers the configuration of add", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a"]);
  await m.must(`${plumb} add n /run/netns/blue`);
  rmSync(join(m.dir, "net.d/10.conflist"));
  await m.must(`${plumb} del n /run/netns/blue`);
  assert.deepEqual(m.order(), ["ADD a", "DEL a"]);
  assert.equal((await m.plumb("del n /run/netns/blue")).code, 1);
});

test("gc keeps the attachments whose namespace lives, or those that are named", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a"]);
  m.network("20.conflist", "m", ["a"]);
  for (const name of ["blue", "red", "green"]) {
    await m.must(`ip netns add ${name}`);
    await m.must(`${plumb} add n /run/netns/${name}`);
  }
  await m.must(`${plumb} add m /run/netns/red`);
  await m.must("ip netns del red");
  const [blue, red, green] = ["blue", "red", "green"].map((name) => idOf(`/run/netns/${name}`));
  const before = m.log().length;

  const dry = await m.must(`${plumb} gc --dry-run n`);
  assert.match(dry, new RegExp(`2 kept, 1 removed\\n.*\\n.*\\n  removed ${red}/eth0\\n$`));
  assert.equal(m.log().length, before);

  const collected = JSON.parse(await m.must(`${plumb} gc --json n`));
  assert.deepEqual(collected.removed, [{ containerID: red, ifname: "eth0" }]);
  assert.deepEqual(
    new Set(collected.kept.map((kept: { containerID: string }) => kept.containerID)),
    new Set([blue, green]),
  );
  assert.deepEqual(
    m
      .log()
      .slice(before)
      .map(([verb, , id]) => [verb, id]),
    [
      ["DEL", red],
      ["GC", undefined],
    ],
  );

  await m.must(`${plumb} gc n --keep ${green}/eth0`);
  assert.deepEqual(m.log().at(-2)?.slice(0, 3), ["DEL", "a", blue]);
  await m.must(`${plumb} gc n --all`);
  assert.deepEqual(m.log().at(-2)?.slice(0, 3), ["DEL", "a", green]);
  assert.match(await m.leftovers(), new RegExp(`^/var/lib/cni/results/m-${red}-eth0$`, "m"));
});

test("gc does not guess where it cannot read the cache", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a"]);
  await m.must("mkdir -p /var/lib/cni/results");
  await m.must("touch /var/lib/cni/results/n-c1-eth0");
  const { code, stderr } = await m.plumb("gc n");
  assert.equal(code, 1);
  assert.match(stderr, /cannot tell which attachments of network "n" are alive\n.*n-c1-eth0/);
  assert.deepEqual(m.log(), []);
});

test("run: interfaces, resolv.conf, exit code, and nothing left", async (t) => {
  const m = await Machine.start(t);
  const dns = (server: string) =>
    `test $CNI_COMMAND != ADD || echo '{"cniVersion":"1.1.0","dns":{"nameservers":["${server}"],"search":["a.example"]}}'`;
  m.plugin("a", dns("192.0.2.1"));
  m.plugin("b", dns("192.0.2.2"));
  m.network("10.conflist", "one", ["a"]);
  m.network("20.conflist", "two", ["b"]);
  const script = "cat /etc/resolv.conf; ls /run/netns /run/plumb; ip -o link; exit 7";
  const { code, stdout, stderr } = await m.exec([plumb, "run", "--net", "two,one", "--", "sh", "-c", script]);
  assert.equal(stderr, "");
  assert.equal(code, 7);
  assert.match(stdout, /^nameserver 192\.0\.2\.2\nnameserver 192\.0\.2\.1\nsearch a\.example\n/);
  assert.match(
    stdout,
    /\/run\/netns:\nplumb-[0-9a-f]{8}\n\n\/run\/plumb:\n1: lo: <LOOPBACK,UP,LOWER_UP>.*\n$/,
  );
  const name = /plumb-[0-9a-f]{8}/.exec(stdout)![0];
  assert.deepEqual(
    m.log().map((call) => call.slice(0, 5)),
    [
      ["ADD", "b", name, "eth0", `/run/netns/${name}`],
      ["ADD", "a", name, "eth1", `/run/netns/${name}`],
      ["DEL", "a", name, "eth1", `/run/netns/${name}`],
      ["DEL", "b", name, "eth0", `/run/netns/${name}`],
    ],
  );
  assert.equal(await m.leftovers(), "");
});

test("run without --net takes the first configuration, and leaves resolv.conf alone without DNS", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("20.conflist", "two", ["none"]);
  m.network("10.conflist", "one", ["a"]);
  m.file("net.d/00.conflist", "nonsense");
  assert.equal(await m.must(`${plumb} run cat /etc/resolv.conf`), readFileSync("/etc/resolv.conf", "utf8"));
  assert.deepEqual(m.order(), ["ADD a", "DEL a"]);
});

for (const [command, code, stderr] of [
  ["sh -c kill\t-TERM\t$$", 143, /^$/],
  ["no-such-command", 127, /no-such-command: command not found/],
  ["/no/such/file", 127, /\/no\/such\/file cannot be executed: ENOENT/],
  ["/etc/passwd", 126, /\/etc\/passwd cannot be executed: EACCES/],
] as const)
  test(`run ${command.split(" ")[0]}: exit code ${code}`, async (t) => {
    const m = await Machine.start(t);
    m.plugin("a", PRINT_RESULT);
    m.network("10.conflist", "n", ["a"]);
    const words = command.split(" ").map((word) => word.replaceAll("\t", " "));
    const outcome = await m.exec([plumb, "run", ...words]);
    assert.equal(outcome.code, code);
    assert.match(outcome.stderr, stderr);
    assert.deepEqual(m.order(), ["ADD a", "DEL a"]);
    assert.equal(await m.leftovers(), "");
  });

test("run detaches what it attached when a later network fails", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.plugin("b", `test $CNI_COMMAND = DEL || exit 3`);
  m.network("10.conflist", "one", ["a"]);
  m.network("20.conflist", "two", ["b"]);
  const { code, stdout, stderr } = await m.plumb("run --net one,two echo started");
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /plugin type="b" failed \(add\): exit code 3/);
  assert.deepEqual(m.order(), ["ADD a", "ADD b", "DEL b", "DEL a"]);
  assert.equal(await m.leftovers(), "");
});

test("run says what it could not detach, and keeps the command's exit code", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", `test $CNI_COMMAND = DEL && exit 3; echo '${RESULT}'`);
  m.network("10.conflist", "one", ["a"]);
  for (const [command, expected] of [
    ["true", 1],
    ["false", 1],
    ["sh -c exit\t9", 9],
  ] as const) {
    const { code, stderr } = await m.exec([
      plumb,
      "run",
      ...command.split(" ").map((word) => word.replace("\t", " ")),
    ]);
    assert.equal(code, expected);
    assert.match(stderr, /plugin type="a" failed \(delete\)/);
  }
  assert.equal((await m.exec(["ls", "/run/netns"])).stdout, "");
});

test("run passes signals on, waits for the command and detaches", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", PRINT_RESULT);
  m.network("10.conflist", "n", ["a"]);
  const script =
    "trap 'echo got TERM; exit 5' TERM; trap 'echo got USR1' USR1; echo ready; while :; do sleep 0.01; done";
  const child = m.spawn([plumb, "run", "--", "sh", "-c", script]);
  const ended = new Promise((resolve) => child.on("close", resolve));
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    // nsenter has become plumb: it does not fork for these namespaces.
    if (line === "ready") child.kill("SIGUSR1");
    if (line === "got USR1") child.kill("SIGTERM");
  }
  assert.equal(await ended, 5);
  assert.deepEqual(lines, ["ready", "got USR1", "got TERM"]);
  assert.deepEqual(m.order(), ["ADD a", "DEL a"]);
  assert.equal(await m.leftovers(), "");
});

test("run is not ended by a signal while it attaches; it detaches, and the command never starts", async (t) => {
  const m = await Machine.start(t);
  m.plugin("a", `test $CNI_COMMAND = DEL || kill -INT $PPID; ${PRINT_RESULT}`);
  m.plugin("b", PRINT_RESULT);
  m.network("10.conflist", "one", ["a"]);
  m.network("20.conflist", "two", ["b"]);
  const { code, stdout } = await m.plumb("run --net one,two echo started");
  assert.deepEqual([code, stdout], [130, ""]);
  assert.deepEqual(m.order(), ["ADD a", "DEL a"]);
  assert.equal(await m.leftovers(), "");
});

test("a signal ends an ADD that waits, as for a DHCP server; the DEL after it runs to its end", async (t) => {
  const m = await Machine.start(t);
  m.plugin(
    "a",
    `kill -TERM $PPID; test $CNI_COMMAND = DEL || exec sleep 1000; sleep 0.2; echo DEL has ended >> ${m.dir}/log`,
  );
  m.network("10.conflist", "n", ["a"]);
  const { code, stdout, stderr } = await m.plumb("run echo started");
  assert.deepEqual([code, stdout, stderr], [143, "", ""]);
  assert.deepEqual(m.order(), ["ADD a", "DEL a", "DEL has"]);
  assert.equal(await m.leftovers(), "");
});

for (const [words, message] of [
  ["", /^Usage: plumb COMMAND/],
  ["nope", /^plumb: unknown command "nope"\nSee "plumb --help"\.\n$/],
  ["add", /^plumb add: NETWORK is missing\nSee "plumb add --help"\.\n$/],
  ["add n", /NETNS is missing/],
  ["add --id web n", /^plumb add: NETNS is missing/],
  ["check n", /^plumb check: NETNS is missing/],
  ["add n x y", /unexpected argument "y"/],
  ["del --nope n x", /unknown option --nope/],
  ["gc n --keep x", /--keep wants ID\/IFNAME/],
  ["run", /COMMAND is missing/],
] as const)
  test(`wrong usage: plumb ${words}`, async (t) => {
    const m = await Machine.start(t);
    const { code, stdout, stderr } = await m.exec([plumb, ...words.split(" ").filter(Boolean)]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
  });

test("help and version", async (t) => {
  const m = await Machine.start(t);
  for (const words of ["--help", "-h", "help"])
    assert.match(await m.must(`${plumb} ${words}`), /^Usage: plumb COMMAND/);
  for (const name of ["add", "del", "check", "gc", "status", "run", "version"]) {
    assert.match(await m.must(`${plumb} ${name} --help`), new RegExp(`^Usage: plumb ${name}`));
    assert.equal(await m.must(`${plumb} help ${name}`), await m.must(`${plumb} ${name} -h`));
  }
  assert.match(await m.must(`${plumb} version`), /^plumb \d+\.\d+\.\d+\nCNI .*1\.1\.0\nplugins .*bridge/);
  assert.ok(JSON.parse(await m.must(`${plumb} version --json`)).plugins.includes("bridge"));
});

const ours = { name: "plumb's own plugins, not installed", path: "/nowhere" };
const theirs = { name: "the reference's plugins", path: reference };
for (const { name, path } of [ours, theirs])
  test(`two containers reach each other: ${name}`, { skip: path === undefined }, async (t) => {
    const m = await Machine.start(t);
    const bridge = {
      type: "bridge",
      bridge: "br0",
      isGateway: true,
      ipam: { type: "host-local", subnet: "10.77.0.0/24", routes: [{ dst: "0.0.0.0/0" }] },
    };
    m.network("10.conflist", "n", [bridge], "1.0.0");
    const env = { CNI_PATH: path! };
    await m.must("ip netns add blue");
    const result = JSON.parse(await m.must(`${plumb} add n /run/netns/blue`, { env }));
    assert.equal(result.ips[0].address, "10.77.0.2/24");
    await m.must(`${plumb} check n /run/netns/blue`, { env });
    assert.match(await m.must(`${plumb} run ping -c 1 -W 5 10.77.0.2`, { env }), /1 received/);
    await m.must(`${plumb} del n /run/netns/blue`, { env });
    assert.equal(await m.must("ip -n blue -o link show type veth"), "");
    assert.equal(await m.must("find /var/lib/cni/networks/n -name 10.*"), "");
  });
