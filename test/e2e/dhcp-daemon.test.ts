import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { DEFAULT_SOCKET as SOCKET } from "../../src/dhcp/protocol.ts";
import { plumb } from "../programs.ts";
import { DhcpNetwork, macvlan, needs } from "./dhcp-network.ts";
import { Program } from "./program.ts";

// The daemon as a service: its flags, its socket, and how it is started.

const withDnsmasq = needs("dnsmasq");

for (const [what, command] of [
  ["plumb dhcp daemon", () => [plumb, "dhcp"]],
  ["dhcp daemon", (n: DhcpNetwork) => [join(n.world.bin, "dhcp")]],
] as const)
  test(`${what} serves, and ends with its files`, withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    const { world: w } = n;
    await n.dnsmasq();
    const daemon = await n.daemonBy(command(n), [
      "--pidfile=/run/dhcp.pid",
      "-socketpath",
      "/run/deep/in/d.sock",
    ]);
    assert.equal(w.read("/run/dhcp.pid").trim(), String(daemon.pid));
    const config = { ...macvlan, ipam: { type: "dhcp", daemonSocketPath: "/run/deep/in/d.sock" } };
    const c1 = w.container();
    w.add(config, c1);
    assert.equal(c1.addresses().length, 1);
    w.del(config, c1);
    assert.equal(await daemon.stop(), 0);
    for (const path of ["/run/dhcp.pid", "/run/deep/in/d.sock"])
      assert.notEqual(w.exec(["test", "-e", path]).code, 0, path);
  });

test("only root may ask", async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  w.must("mkdir", "--mode", "755", "/run/cni");
  const daemon = await n.daemon();
  const ask = (...who: string[]) =>
    w.exec([...who, "curl", "--silent", "--max-time", "2", "--unix-socket", SOCKET, "http://localhost/"]);
  const CANNOT_CONNECT = 7;
  assert.equal(ask("setpriv", "--reuid", "65534", "--clear-groups").code, CANNOT_CONNECT);
  assert.notEqual(ask().code, CANNOT_CONNECT);
  assert.equal(w.must("stat", "-c", "%a", SOCKET).trim(), "600");
  assert.equal(daemon.running, true);
  n.world.status(macvlan);
});

for (const [what, said] of [
  ["nothing", ""],
  ["half a line", '{"command":"ADD"'],
  ["no JSON", "GET / HTTP/1.1\r\n"],
  ["no call", "[]\n"],
  ["an unknown call", '{"command":"NONSENSE"}\n'],
  ["a call without what it needs", '{"command":"ADD"}\n'],
  ["a path that leads out", '{"command":"DEL","containerId":"../../x","network":"n","ifName":"eth0"}\n'],
  ["more than it wants to know", `${"x".repeat(3_000_000)}\n`],
  ["brackets within brackets", `{"command":"GC","network":"n","validAttachments":${"[".repeat(900_000)}\n`],
  ["NULs", `\0{"command":"STA\0TUS"}\0\n`],
] as const)
  test(`somebody who says ${what} harms nobody`, async (t) => {
    const n = await DhcpNetwork.start(t);
    const daemon = await n.daemon();
    const script = `const socket = require("node:net").connect("${SOCKET}");
      socket.on("error", () => {}).on("close", () => process.exit());
      socket.on("data", (data) => process.stdout.write(data));
      process.stdin.on("data", (data) => socket.write(data)).on("end", () => socket.end());`;
    n.world.exec([process.execPath, "-e", script], { input: said });
    n.world.status(macvlan);
    assert.equal(daemon.running, true);
  });

test("who keeps the line open keeps nobody else from being served", async (t) => {
  const n = await DhcpNetwork.start(t);
  await n.daemon();
  const idle = `for (let i = 0; i < 50; i++) require("node:net").connect("${SOCKET}", () => i === 49 && console.log("ready"));`;
  const program = new Program(t, n.world, [process.execPath, "-e", idle]);
  await program.says(/ready/);
  n.world.status(macvlan);
});

for (const [flags, said] of [
  ["-nonsense", /nonsense/],
  ["-timeout soon", /timeout.*soon/],
  ["-timeout 0s", /timeout/],
  ["-resendmax -1s", /resendmax/],
  ["-socketpath", /socketpath/],
  ["extra", /extra/],
] as const)
  test(`refused: daemon ${flags}`, async (t) => {
    const n = await DhcpNetwork.start(t);
    const { code, stdout, stderr } = n.world.exec([join(n.world.bin, "dhcp"), "daemon", ...flags.split(" ")]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, said);
    assert.match(stderr, /^See "dhcp daemon -help"\.$/m);
  });

test("a file for the process ID must be named from the root, as with the reference", async (t) => {
  const n = await DhcpNetwork.start(t);
  const { code, stderr } = n.world.exec([join(n.world.bin, "dhcp"), "daemon", "-pidfile", "relative"]);
  assert.equal(code, 1);
  assert.match(stderr, /relative/);
});

test("who cannot start it is told what to do", async (t) => {
  const { world: w } = await DhcpNetwork.start(t);
  w.must("mkdir", "--mode", "700", "/run/cni");
  const nobody = ["setpriv", "--reuid", "65534", "--clear-groups"];
  const { code, stderr } = w.exec([...nobody, plumb, "dhcp", "daemon"]);
  assert.deepEqual(
    [code, stderr],
    [1, "dhcp daemon: mkdir /run/cni/dhcp.leases: EACCES\n  Run it as root.\n"],
  );
  const path = `/run/${"x".repeat(120)}.sock`;
  assert.match(w.exec([plumb, "dhcp", "daemon", "-socketpath", path]).stderr, new RegExp(`${path}\n`));
});

test("called by hand, the plugin tells of its daemon", async (t) => {
  const { world: w } = await DhcpNetwork.start(t);
  const { code, stderr } = w.exec([plumb, "dhcp", "--help"]);
  assert.equal(code, 0);
  assert.match(stderr, /^CNI dhcp plugin .*\n.*\n.*dhcp daemon -help.*dhcp leases -help/);
});

test("its help names all flags", async (t) => {
  const n = await DhcpNetwork.start(t);
  for (const flag of ["-h", "--help"]) {
    const { code, stdout, stderr } = n.world.exec([join(n.world.bin, "dhcp"), "daemon", flag]);
    assert.equal(code, 0);
    for (const name of [
      "pidfile",
      "hostprefix",
      "socketpath",
      "broadcast",
      "timeout",
      "resendmax",
      "resendtimeout",
    ])
      assert.match(stdout + stderr, new RegExp(`-${name}`));
  }
});

test("a second daemon at the same socket is refused, and the first goes on", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  await n.dnsmasq();
  const first = await n.daemon();
  const { code, stderr } = n.world.exec([join(n.world.bin, "dhcp"), "daemon"]);
  assert.equal(code, 1);
  assert.match(stderr, /another daemon is running: it holds \/run\/cni\/dhcp\.leases\/lock\n {2}Stop it, /);
  assert.equal(first.running, true);
  n.world.add(macvlan, n.world.container());
});

test("-hostprefix: a daemon that sees the host elsewhere", withDnsmasq, async (t) => {
  const n = await DhcpNetwork.start(t);
  const { world: w } = n;
  await n.dnsmasq();
  const c1 = w.container();
  // As in a container whose own /run is empty.
  const script = `mkdir -p "$0/run"; mount --rbind /run "$0/run"; mount -t tmpfs own /run; exec "$@"`;
  const host = join(w.bin, "host");
  const inside = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, host];
  const flags = ["-hostprefix", host];
  const daemon = await n.daemonBy([...inside, join(w.bin, "dhcp")], [...flags, "-socketpath", SOCKET]);
  const result = w.add(macvlan, c1);
  assert.deepEqual(c1.addresses(), ["10.66.0.50/24"]);
  w.check(macvlan, c1, result);
  w.del(macvlan, c1);
  assert.deepEqual(n.leases(), []);
  await daemon.stop();
});

/** Starts a program as systemd starts a service with a socket. */
const ACTIVATE = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
os.makedirs(os.path.dirname(sys.argv[1]), exist_ok=True)
listener.bind(sys.argv[1])
listener.listen(16)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])`;

test(
  "socket activation: it serves the socket that it was given, and leaves it there",
  withDnsmasq,
  async (t) => {
    const n = await DhcpNetwork.start(t);
    const { world: w } = n;
    await n.dnsmasq();
    const launcher = ["/usr/bin/python3", "-c", ACTIVATE, "/run/given.sock", join(w.bin, "dhcp")];
    const daemon = await n.daemonBy(launcher, ["-socketpath", "/run/given.sock"]);
    const config = { ...macvlan, ipam: { type: "dhcp", daemonSocketPath: "/run/given.sock" } };
    const c1 = w.container();
    w.status(config);
    w.add(config, c1);
    assert.deepEqual(c1.addresses(), ["10.66.0.50/24"]);
    // The records are where the next one looks for them, activated or not.
    await daemon.stop("SIGKILL");
    w.must("rm", "/run/given.sock");
    await n.daemonBy(launcher, ["-socketpath", "/run/given.sock"]);
    w.del(config, c1);
    assert.deepEqual(n.leases(), []);
  },
);

for (const words of [
  ["dhcp", "leases"],
  ["dhcp", "leases", "-socketpath", SOCKET],
])
  test(`plumb ${words.join(" ")} tells who has which address`, withDnsmasq, async (t) => {
    const n = await DhcpNetwork.start(t);
    const { world: w } = n;
    await n.dnsmasq();
    const { code, stderr } = w.exec([plumb, ...words]);
    assert.equal(code, 1);
    assert.match(stderr, /ENOENT\n {2}Nobody listens there\. Start it: /);
    await n.daemon();
    w.must(plumb, ...words);
    const c1 = w.container();
    w.add(macvlan, c1);
    assert.match(w.must(plumb, ...words), /c1.*net.*eth0.*10\.66\.0\.50|10\.66\.0\.50.*c1/s);
    w.del(macvlan, c1);
    assert.doesNotMatch(w.must(plumb, ...words), /10\.66\.0\.50/);
  });
