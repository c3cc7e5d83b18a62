import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { type CallSettings, type Container, type Json, type Verb, World } from "./world.ts";

// The plugin's side of DHCP, with a daemon that says what the test wants it to. Those with real servers are beside it.

const LEASE = {
  cniVersion: "1.1.0",
  ips: [{ address: "10.66.0.50/24", gateway: "10.66.0.1" }],
  routes: [
    { dst: "10.99.0.1/32", scope: 253 },
    { dst: "0.0.0.0/0", gw: "10.66.0.1" },
  ],
  dns: { nameservers: ["10.66.0.1"], domain: "lab.example", search: ["lab.example"] },
};
const GAVE_UP = { code: 11, msg: "no more tries", details: "Nobody answered DHCPDISCOVER." };

/** What the daemon says to a call; undefined: it hangs up without a word. */
type Script = (call: Json, connection: Socket) => string | undefined | Promise<string | undefined>;

const says = (answer: Json) => `${JSON.stringify(answer)}\n`;

/** A daemon within this process. So plugins must be started, not run: it has to answer. */
class Daemon {
  readonly socketPath: string;
  /** Whatever was asked, in turn. */
  readonly calls: Json[] = [];
  script: Script = () => says({ result: {} });
  readonly #server: Server;

  private constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#server = createServer({ allowHalfOpen: true }, (connection) => this.#serve(connection));
  }

  static async start(t: TestContext, w: World): Promise<Daemon> {
    const daemon = new Daemon(join(w.bin, "dhcp.sock"));
    daemon.#server.listen(daemon.socketPath);
    await once(daemon.#server, "listening");
    t.after(() => daemon.#server.close());
    return daemon;
  }

  async #serve(connection: Socket): Promise<void> {
    connection.on("error", () => {});
    const [line] = await once(connection.setEncoding("utf8"), "data");
    const call = JSON.parse(line);
    assert.equal(line, says(call), "a line of JSON");
    this.calls.push(call);
    connection.end((await this.script(call, connection)) ?? "");
  }

  /** What was asked since the last time. */
  asked(): string[] {
    return this.calls.splice(0).map(({ command }) => command);
  }
}

interface Stage {
  readonly w: World;
  readonly c1: Container;
  readonly daemon: Daemon;
  /** A macvlan network with dhcp. */
  readonly macvlan: Json;
  /** Where a daemon keeps its records. */
  readonly leases: string;
}

async function stage(t: TestContext): Promise<Stage> {
  const w = await World.start(t);
  const daemon = await Daemon.start(t, w);
  w.must("ip", "link", "add", "m0", "up", "type", "bridge");
  const ipam = { type: "dhcp", daemonSocketPath: daemon.socketPath };
  const macvlan = { type: "macvlan", master: "m0", ipam };
  const leases = daemon.socketPath.replace(/\.sock$/, ".leases");
  return { w, c1: w.container(), daemon, macvlan, leases };
}

async function succeed(
  w: World,
  verb: Verb,
  config: Json,
  c?: Container,
  settings?: CallSettings,
): Promise<Json> {
  const { code, output } = await w.start(verb, config, c, settings);
  assert.equal(code, 0, `${verb}: ${JSON.stringify(output)}`);
  return output;
}

async function refused(
  w: World,
  verb: Verb,
  config: Json,
  c?: Container,
  settings?: CallSettings,
): Promise<Json> {
  const { code, output } = await w.start(verb, config, c, settings);
  assert.equal(code, 1, `${verb} succeeded: ${JSON.stringify(output)}`);
  return output;
}

const ID = { containerId: "c1", network: "net", ifName: "eth0" };
const recordName = ({ containerId, network, ifName }: typeof ID) =>
  createHash("sha512").update(`${containerId}/${network}/${ifName}`).digest("hex").slice(0, 32);

/** Records as a daemon leaves them, and files that are none. */
function leaveRecords(leases: string, ...ids: (typeof ID)[]): void {
  mkdirSync(leases);
  for (const id of ids) writeFileSync(join(leases, recordName(id)), JSON.stringify({ format: 1, ...id }));
  for (const other of ["lock", `${recordName(ID)}.bad`, "0".repeat(32)])
    writeFileSync(join(leases, other), "{");
}

const recordsOf = (leases: string) => readdirSync(leases).filter((name) => /^[0-9a-f]{32}$/.test(name));

test("ADD: the interface is there when the daemon is asked, and has then what it said", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  const seen: string[] = [];
  daemon.script = () => {
    seen.push(c1.link().linkinfo.info_kind);
    return says({ result: LEASE });
  };
  const result = await succeed(w, "ADD", macvlan, c1);
  assert.deepEqual(seen, ["macvlan"]);
  const [{ wish, ...call }] = daemon.calls;
  assert.deepEqual(call, { command: "ADD", ...ID, netns: "/run/netns/c1" });
  assert.deepEqual(
    { ...wish, request: wish.request.length > 5 },
    { ipv4: "dhcp", ipv6: "none", request: true, provide: [], broadcast: false, mtu: true },
  );
  const [ip] = result.ips;
  assert.deepEqual(ip, { ...LEASE.ips[0], interface: 0 });
  assert.deepEqual([result.routes, result.dns], [LEASE.routes, LEASE.dns]);
  assert.deepEqual(c1.addresses(), ["10.66.0.50/24"]);
  assert.deepEqual(c1.routes(), [
    "default via 10.66.0.1 dev eth0",
    "10.66.0.0/24 dev eth0",
    "10.99.0.1 dev eth0",
  ]);
});

test("ADD: the options of ipam are passed on", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  daemon.script = () => says({ result: LEASE });
  const more = {
    request: [{ skipDefault: true }, { option: "routers" }, { option: 42 }],
    provide: [
      { option: "host-name", value: "web" },
      { option: "user-class", fromArg: "CLASS" },
    ],
    priority: 50,
    ipv6: "auto",
    broadcast: true,
  };
  const args = "IgnoreUnknown=1;CLASS=gold";
  await succeed(w, "ADD", { ...macvlan, mtu: 1400, ipam: { ...macvlan.ipam, ...more } }, c1, { args });
  assert.deepEqual(daemon.calls[0].wish, {
    ipv4: "dhcp",
    ipv6: "auto",
    request: [3, 42],
    provide: [
      [12, "web"],
      [77, "gold"],
    ],
    priority: 50,
    broadcast: true,
    mtu: false,
  });
});

test("ADD as a program of its own: the result in every version, the namespace as an absolute path", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  daemon.script = () => says({ result: LEASE });
  for (const cniVersion of VERSIONS) {
    const config = { ...macvlan, type: "dhcp", cniVersion };
    const wrap = ["sh", "-c", 'cd /run/netns && exec "$@"', "sh"];
    const result = await succeed(w, "ADD", config, c1, { netns: "../netns/c1", wrap });
    assert.equal(result.cniVersion, cniVersion);
    assert.match(JSON.stringify(result), /"10\.66\.0\.50\/24"/);
    assert.equal(daemon.calls.at(-1).netns, "/run/netns/../netns/c1");
    // What is on the link goes by no gateway, where results can say so.
    const direct = (result.routes ?? result.ip4.routes)[0];
    const scoped = { dst: "10.99.0.1/32", scope: 253 };
    assert.deepEqual(direct, cniVersion === "1.1.0" ? scoped : { dst: "10.99.0.1/32", gw: "0.0.0.0" });
    await succeed(w, "DEL", config, c1);
  }
});

test("ADD with a result of an older version: what is on the link goes by no gateway", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  daemon.script = () => says({ result: LEASE });
  const config = { ...macvlan, cniVersion: "1.0.0" };
  const prevResult = await succeed(w, "ADD", config, c1);
  assert.ok(c1.routes().includes("10.99.0.1 dev eth0"));
  await succeed(w, "CHECK", config, c1, { prevResult });
});

test("ADD: a namespace that the daemon could not find is refused", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  const config = { ...macvlan, type: "dhcp" };
  const holder = w.spawn(t, "ip", "netns", "exec", "c1", "sh", "-c", "echo; cat");
  await once(holder.stdout, "data");
  for (const [netns, msg] of [
    ["/run/netns/gone", /does not exist$/],
    ["/etc/passwd", /is not a network namespace$/],
    ["/proc/self/ns/net", /is the namespace of the host/],
    ["", /is empty$/],
    ["/proc/self/root/run/netns/c1", /leads elsewhere for the DHCP daemon$/],
  ] as const) {
    const { code, msg: found } = await refused(w, "ADD", config, c1, { netns });
    assert.equal(code, 8);
    assert.match(found, msg);
  }
  assert.deepEqual(daemon.calls, []);
});

test("ADD: what the daemon refuses is told in the words of the reference, and undone", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  daemon.script = ({ command }) => says(command === "ADD" ? { error: GAVE_UP } : { result: {} });
  const before = [w.state(), c1.ip("address", "show")];
  const { code, msg, details } = await refused(w, "ADD", macvlan, c1);
  assert.deepEqual(
    [code, msg, details],
    [11, "error calling DHCP.Allocate: no more tries", "Nobody answered DHCPDISCOVER."],
  );
  assert.deepEqual([w.state(), c1.ip("address", "show")], before);
  assert.deepEqual(daemon.asked(), ["ADD", "DEL"]);
});

test("ADD that fails behind IPAM gives the lease back, while the interface is still there", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  const links: (string | undefined)[] = [];
  daemon.script = ({ command }) => {
    links.push(c1.link()?.ifname);
    const routes = [{ dst: "10.88.0.0/16", gw: "192.0.2.1" }];
    return says({ result: command === "ADD" ? { ...LEASE, routes } : {} });
  };
  const { msg } = await refused(w, "ADD", macvlan, c1);
  assert.match(msg, /^cannot add route 10\.88\.0\.0\/16/);
  assert.deepEqual([daemon.asked(), links, c1.link()], [["ADD", "DEL"], ["eth0", "eth0"], undefined]);
});

test("ADD waits as long as the daemon works, and others are served meanwhile", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  const other = w.container("c2");
  let answer = (_: string) => {};
  const seeking = new Promise<void>((resolve) => {
    daemon.script = ({ command, containerId }) => {
      if (command !== "ADD" || containerId !== "c1") return says({ result: LEASE });
      resolve();
      return new Promise((done) => {
        answer = done;
      });
    };
  });
  const first = w.start("ADD", macvlan, c1);
  await seeking;
  await succeed(w, "ADD", macvlan, other);
  answer(says({ result: LEASE }));
  const { code, output } = await first;
  assert.equal(code, 0, JSON.stringify(output));
});

test("PLUMB_TIMEOUT_MS limits the wait for the daemon", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  daemon.script = ({ command }) => (command === "DEL" ? says({ result: {} }) : new Promise(() => {}));
  const settings = { env: { PLUMB_TIMEOUT_MS: "100" } };
  const { code, msg } = await refused(w, "ADD", macvlan, c1, settings);
  assert.deepEqual(
    [code, msg],
    [11, "error calling DHCP.Allocate: the DHCP daemon did not answer within 0.1 s"],
  );
  assert.equal((await refused(w, "STATUS", macvlan, undefined, settings)).code, 50);
  assert.equal(c1.link(), undefined);
});

test("an ADD that is killed hangs up", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  const file = join(w.bin, "pid");
  const hungUp = new Promise<void>((resolve) => {
    daemon.script = (_, connection) => {
      connection.on("end", resolve);
      process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
      return new Promise(() => {});
    };
  });
  const wrap = ["sh", "-c", `echo $$ >${file}; exec "$0"`];
  assert.notEqual((await w.start("ADD", macvlan, c1, { wrap })).code, 0);
  await hungUp;
});

const BAD_REQUEST =
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request";
const DIED = "the DHCP daemon ended before it had answered";
const CALLING = "error calling DHCP.Allocate: ";
const wrongs: [what: string, answer: string | undefined, code: number, msg: RegExp][] = [
  ["none", undefined, 11, new RegExp(`^${CALLING}${DIED}$`)],
  ["half an answer", '{"result":{"ips":[{"addr', 11, new RegExp(`^${CALLING}${DIED}$`)],
  [
    "the reference's daemon",
    BAD_REQUEST,
    11,
    /^error dialing DHCP daemon: .*dhcp\.sock belongs to another program$/,
  ],
  ["a text", '"yes"\n', 11, /belongs to another program$/],
  ["neither result nor error", "{}\n", 11, /belongs to another program$/],
  ["an error without code", '{"error":{"msg":"x"}}\n', 11, /belongs to another program$/],
  ["a wrong result", '{"result":{"ips":[{"address":"10.66.0.50"}]}}\n', 6, /10\.66\.0\.50/],
  ["no address", '{"result":{}}\n', 100, /^IPAM plugin returned missing IP config$/],
];
test("ADD: answers that are none are told, and nothing is left behind", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  const before = w.state();
  for (const [what, answer, code, msg] of wrongs) {
    daemon.script = ({ command }) => (command === "ADD" ? answer : says({ result: {} }));
    const error = await refused(w, "ADD", macvlan, c1);
    assert.equal(error.code, code, `${what}: ${JSON.stringify(error)}`);
    assert.match(error.msg, msg);
    assert.deepEqual([w.state(), c1.link()], [before, undefined], what);
  }
});

for (const [who, script] of [
  ["no daemon is there", undefined],
  ["the daemon dies in the middle", () => undefined],
  ["it is the reference's daemon", () => BAD_REQUEST],
] as [string, Script | undefined][])
  test(`without a daemon of ours (${who}) DEL and GC succeed, and forget the lease`, async (t) => {
    const { w, c1, daemon, macvlan, leases } = await stage(t);
    daemon.script = () => says({ result: LEASE });
    await succeed(w, "ADD", macvlan, c1);
    if (script) daemon.script = script;
    else rmSync(daemon.socketPath);
    const [second, elsewhere] = [
      { ...ID, containerId: "c2" },
      { ...ID, network: "other" },
    ];
    leaveRecords(leases, ID, second, elsewhere);
    const stderr = join(w.bin, "stderr");
    const wrap = ["sh", "-c", 'exec "$0" 2>"$STDERR"'];
    await succeed(w, "DEL", macvlan, c1, { wrap, env: { STDERR: stderr } });
    assert.equal(c1.link(), undefined);
    const kept = (...ids: (typeof ID)[]) => [...ids.map(recordName), "0".repeat(32)].sort();
    assert.deepEqual(recordsOf(leases).sort(), kept(second, elsewhere));
    assert.match(
      readFileSync(stderr, "utf8"),
      who.includes("reference") ? /^plumb: .*another program\. .*\n$/ : /^$/,
    );
    const valid = [{ containerID: "c3", ifname: "eth0" }];
    await succeed(w, "GC", { ...macvlan, "cni.dev/valid-attachments": valid });
    assert.deepEqual(recordsOf(leases).sort(), kept(elsewhere));
    const others = [{ containerID: "c1", ifname: "eth0" }];
    await succeed(w, "GC", { ...macvlan, name: "other", "cni.dev/valid-attachments": others });
    assert.deepEqual(recordsOf(leases).sort(), kept(elsewhere));
    await succeed(w, "DEL", macvlan, c1);
    assert.ok(existsSync(join(leases, "lock")));
  });

test("without a daemon ADD and CHECK fail, STATUS is 50, and all say what to do", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  rmSync(daemon.socketPath);
  const before = w.state();
  const prevResult = { interfaces: [{ name: "eth0", sandbox: c1.netns }], ...LEASE };
  for (const [verb, expected] of [
    ["ADD", 11],
    ["CHECK", 11],
    ["STATUS", 50],
  ] as const) {
    const { code, msg, details } = await refused(w, verb, macvlan, c1, { prevResult });
    assert.deepEqual(
      [code, msg],
      [expected, `error dialing DHCP daemon: connect ${daemon.socketPath}: ENOENT`],
    );
    assert.match(details, /systemctl start cni-dhcp\.socket, or plumb dhcp daemon/);
  }
  // One that was left by a daemon that was killed; what is no socket; who may not.
  writeFileSync(daemon.socketPath, "");
  assert.match((await refused(w, "ADD", macvlan, c1)).msg, /: ECONNREFUSED$/);
  const ipam = { ...macvlan.ipam, daemonSocketPath: `/run/${"x".repeat(120)}` };
  const { code, msg } = await refused(w, "ADD", { ...macvlan, ipam }, c1);
  assert.equal(code, 7);
  assert.match(msg, /^error dialing DHCP daemon: invalid path "\/run\/xxx/);
  assert.deepEqual([w.state(), c1.link()], [before, undefined]);
});

test("STATUS asks the daemon, and refuses options that cannot be", async (t) => {
  const { w, daemon, macvlan } = await stage(t);
  await succeed(w, "STATUS", macvlan);
  assert.deepEqual(daemon.asked(), ["STATUS"]);
  const ipam = { ...macvlan.ipam, request: [{ option: "nonsense" }] };
  const { code, msg } = await refused(w, "STATUS", { ...macvlan, ipam });
  assert.deepEqual([code, msg], [7, 'Can not parse option "nonsense"']);
  assert.deepEqual(daemon.asked(), []);
});

test("CHECK: the lease is there, gone, or another one by now", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  daemon.script = () => says({ result: LEASE });
  const prevResult = await succeed(w, "ADD", macvlan, c1);
  await succeed(w, "CHECK", macvlan, c1, { prevResult });
  assert.deepEqual(daemon.calls.at(-1), { command: "CHECK", ...ID });
  daemon.script = () => says({ result: { ...LEASE, ips: [{ address: "10.66.0.51/24" }] } });
  const changed = await refused(w, "CHECK", macvlan, c1, { prevResult });
  assert.deepEqual([changed.code, changed.msg], [100, "the lease of eth0 is of 10.66.0.51/24 by now"]);
  daemon.script = () => says({ error: { code: 100, msg: "no lease", details: "why" } });
  const gone = await refused(w, "CHECK", macvlan, c1, { prevResult });
  assert.deepEqual([gone.code, gone.msg, gone.details], [100, "no lease", "why"]);
});

test("GC tells the daemon what is to stay, before it deletes interfaces", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  const c2 = w.container("c2");
  daemon.script = ({ containerId }) =>
    says({
      result: { ...LEASE, ips: [{ address: containerId === "c1" ? "10.66.0.50/24" : "10.66.0.51/24" }] },
    });
  for (const container of [c1, c2]) await succeed(w, "ADD", macvlan, container);
  let there: Json;
  daemon.script = () => {
    there = c1.link()?.ifname;
    return says({ result: {} });
  };
  daemon.calls.length = 0;
  await succeed(w, "GC", {
    ...macvlan,
    "cni.dev/valid-attachments": [{ containerID: "c2", ifname: "eth0" }],
  });
  const validAttachments = [{ containerId: "c2", ifName: "eth0" }];
  assert.deepEqual(daemon.calls, [{ command: "GC", network: "net", validAttachments }]);
  assert.deepEqual([there, c1.link(), c2.link().ifname], ["eth0", undefined, "eth0"]);
});

const networks: Readonly<Record<string, Json>> = {
  bridge: { bridge: "br0", ipMasq: true, macspoofchk: true },
  macvlan: { master: "m0" },
  "host-device": { device: "dev0" },
};
for (const [type, rest] of Object.entries(networks)) {
  test(`${type}: DEL gives the lease back through the interface, then deletes it`, async (t) => {
    const { w, c1, daemon, macvlan } = await stage(t);
    w.must("ip", "link", "add", "dev0", "type", "veth", "peer", "name", "wire0");
    const config = { type, ...rest, ipam: macvlan.ipam };
    const seen: unknown[] = [];
    daemon.script = ({ command }) => {
      seen.push([command, c1.addresses()]);
      return says({ result: command === "ADD" ? LEASE : {} });
    };
    await succeed(w, "ADD", config, c1);
    await succeed(w, "DEL", config, c1);
    assert.deepEqual(seen, [
      ["ADD", []],
      ["DEL", ["10.66.0.50/24"]],
    ]);
    assert.equal(c1.link(), undefined);
    // A lease that cannot be given back keeps no interface.
    await succeed(w, "ADD", config, c1);
    daemon.script = () => says({ error: { code: 999, msg: "boom" } });
    const { code, msg } = await refused(w, "DEL", config, c1);
    const boom = "cannot release the addresses: cannot give the lease back: error calling DHCP.Release: boom";
    assert.deepEqual([code, msg, c1.link()], [999, boom, undefined]);
  });

  test(`${type}: a dhcp that is another program is called before the interface is deleted, host-local behind it`, async (t) => {
    const { w, c1 } = await stage(t);
    w.must("ip", "link", "add", "dev0", "type", "veth", "peer", "name", "wire0");
    const log = join(w.bin, "log");
    const result = JSON.stringify({ cniVersion: "1.1.0", ips: LEASE.ips });
    const script = `#!/bin/sh
      echo "$CNI_COMMAND $(ip -n c1 -o link show eth0 2>&- | wc -l)" >>${log}
      test $CNI_COMMAND != ADD || echo '${result}'\n`;
    for (const name of ["dhcp", "other"]) {
      rmSync(join(w.bin, name), { force: true });
      writeFileSync(join(w.bin, name), script);
      chmodSync(join(w.bin, name), 0o755);
      const config = { type, ...rest, ipam: { type: name } };
      w.add(config, c1);
      w.del(config, c1);
      w.gc(config, []);
    }
    assert.deepEqual(readFileSync(log, "utf8").trim().split("\n"), [
      ...["ADD 1", "DEL 1", "GC 0"],
      ...["ADD 1", "DEL 0", "GC 0"],
    ]);
  });
}

test("DEL without namespace, with one that has gone, twice, and for what never was, asks the daemon all the same", async (t) => {
  const { w, c1, daemon, macvlan } = await stage(t);
  daemon.script = ({ command }) => says({ result: command === "ADD" ? LEASE : {} });
  await succeed(w, "ADD", macvlan, c1);
  for (const netns of ["", "/run/netns/gone", undefined, undefined]) {
    await succeed(w, "DEL", macvlan, c1, { netns });
    assert.deepEqual(daemon.calls.at(-1), { command: "DEL", ...ID });
  }
  await succeed(w, "DEL", { ...macvlan, type: "dhcp", name: "never" }, c1, { netns: "" });
  assert.deepEqual(daemon.calls.at(-1), { command: "DEL", ...ID, network: "never" });
});
