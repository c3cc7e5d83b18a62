import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import { parseIp } from "../../src/address/ip.ts";
import type { Outcome } from "../../src/dhcp/attachment.ts";
import { Attachments } from "../../src/dhcp/attachments.ts";
import { type AddCall, type AttachmentId, attachmentName, type Wish } from "../../src/dhcp/protocol.ts";
import type { Lease, Settings, Source, SourceContext, SourceEvents } from "../../src/dhcp/source.ts";
import { Store } from "../../src/dhcp/store.ts";
import { VirtualScheduler } from "../../src/dhcp/virtual.node.ts";
import type { CniError } from "../../src/spec/errors.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

const WISH: Wish = { ipv4: "dhcp", ipv6: "none", request: [1, 3], provide: [], broadcast: false, mtu: true };
const BOTH: Wish = { ...WISH, ipv6: "dhcp" };
const ID: AttachmentId = { containerId: "c1", network: "lan", ifName: "eth0" };
const PATIENCE = 60_000;

const FIRST = v4("10.1.0.5/24", "10.1.0.1");
const SECOND = v4("10.2.0.5/24", "10.2.0.1");
const V6: Settings = { ips: [{ address: parseCidr("2001:db8::5/64")! }] };

function v4(address: string, gateway: string): Settings {
  return {
    ips: [{ address: parseCidr(address)!, gateway: parseIp(gateway)! }],
    routes: [{ dst: parseCidr("0.0.0.0/0")!, gw: parseIp(gateway)! }],
    dns: { nameservers: [gateway] },
  };
}

/** A source that does what the test says. */
class ScriptedSource implements Source {
  readonly family: number;
  readonly context: SourceContext;
  readonly events: SourceEvents;
  readonly said: string[] = [];
  startedWith: Lease | undefined;

  constructor(family: number, context: SourceContext, events: SourceEvents) {
    this.family = family;
    this.context = context;
    this.events = events;
  }

  start(lease?: Lease): void {
    this.said.push("start");
    this.startedWith = lease;
  }
  release(): void {
    this.said.push("release");
  }
  stop(): void {
    this.said.push("stop");
  }
  bind(settings: Settings, expiresAt = this.context.scheduler.now() + 3_600_000): void {
    const memory = { server: "10.1.0.1" };
    this.events.bound({ settings, renewAt: expiresAt - 1_800_000, expiresAt, memory });
  }
}

/** A daemon without its socket, and a container with eth0. */
class Bench {
  readonly space: TestNamespace;
  readonly directory = mkdtempSync(join(tmpdir(), "plumb-leases-"));
  readonly scheduler = new VirtualScheduler();
  readonly sources: ScriptedSource[] = [];
  readonly lines: string[] = [];
  readonly attachments: Attachments;

  constructor(t: TestContext, space = new TestNamespace(t), directory?: string) {
    this.space = space;
    rmSync(this.directory, { recursive: true });
    this.directory = directory ?? this.directory;
    t.after(() => rmSync(this.directory, { recursive: true, force: true }));
    if (directory === undefined)
      this.space.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far");
    this.space.run("ip", "link", "set", "far", "up");
    const { host } = this.space;
    this.attachments = new Attachments({
      ...{ host, scheduler: this.scheduler, store: Store.open(host, this.directory), broadcast: false },
      log: (line, { id } = {}) => this.lines.push(id ? `${attachmentName(id)}: ${line}` : line),
      ...{ hostPrefix: "", patience: PATIENCE, timing: { timeout: 1, resendMax: 1, probe: 1 } },
      openSource: (family, context, events) => {
        this.sources.push(new ScriptedSource(family, context, events));
        return this.sources.at(-1)!;
      },
    });
  }

  get call(): AddCall {
    return { command: "ADD", ...ID, netns: `/run/netns/${this.space.name}`, wish: WISH };
  }

  get records(): string[] {
    return readdirSync(this.directory).filter((name) => name !== "lock");
  }

  /** Calls ADD; the outcomes that come of it, and what says that its plugin has gone. */
  add(change: Partial<AddCall> = {}, there = true): { outcomes: Outcome[]; leave: () => void } {
    const outcomes: Outcome[] = [];
    const leave = this.attachments.add({ ...this.call, ...change }, (outcome) => {
      outcomes.push(outcome);
      return there;
    });
    return { outcomes, leave };
  }

  /** An ADD that got FIRST, which its plugin has configured. */
  established(): ScriptedSource {
    this.add();
    const source = this.sources.at(-1)!;
    source.bind(FIRST);
    this.space.run("ip", "address", "add", "10.1.0.5/24", "brd", "+", "dev", "eth0");
    this.space.run("ip", "route", "add", "default", "via", "10.1.0.1");
    this.lines.length = 0;
    return source;
  }

  get addresses(): string[] {
    const [link] = this.space.ip("-4", "address", "show", "dev", "eth0");
    return (link?.addr_info ?? []).map(
      ({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`,
    );
  }

  get gateways(): string[] {
    return this.space.ip("route", "show", "default").map(({ gateway }) => gateway);
  }
}

function errorOf([outcome]: readonly Outcome[]): CniError {
  assert.ok(outcome && "error" in outcome);
  return outcome.error;
}

const result = (...settings: Settings[]) =>
  JSON.parse(
    JSON.stringify({
      ips: settings.flatMap(({ ips = [] }) => ips),
      ...(settings.some(({ routes }) => routes) && { routes: settings.flatMap(({ routes = [] }) => routes) }),
      dns: settings[0]!.dns,
    }),
  );

test("ADD is answered when there is a lease for each family; the record is on disk by then", (t) => {
  const bench = new Bench(t);
  const { outcomes } = bench.add({ wish: BOTH });
  assert.deepEqual(
    bench.sources.map(({ family, said }) => [family, ...said]),
    [
      [4, "start"],
      [6, "start"],
    ],
  );
  assert.ok(bench.space.ip("link", "show", "eth0")[0].flags.includes("UP"));
  bench.sources[0]!.bind(FIRST);
  assert.deepEqual([outcomes, bench.records], [[], []]);
  bench.sources[1]!.bind(V6);
  assert.deepEqual(JSON.parse(JSON.stringify(outcomes)), [{ result: result(FIRST, V6) }]);
  assert.deepEqual(JSON.parse(JSON.stringify(bench.attachments.check(ID))), result(FIRST, V6));
  assert.equal(bench.records.length, 1);
  assert.equal(statSync(join(bench.directory, bench.records[0]!)).mode & 0o777, 0o600);
  assert.deepEqual(bench.lines, [
    "c1/lan/eth0: leased 10.1.0.5/24 from 10.1.0.1 for 3600 s",
    "c1/lan/eth0: leased 2001:db8::5/64 from 10.1.0.1 for 3600 s",
  ]);
});

test("the same ADD joins, one that differs takes its place", (t) => {
  const bench = new Bench(t);
  const [first, second] = [bench.add(), bench.add()];
  bench.sources[0]!.bind(FIRST);
  const third = bench.add();
  for (const { outcomes } of [first, second, third]) assert.deepEqual(outcomes, [{ result: result(FIRST) }]);
  assert.equal(bench.sources.length, 1);
  const other = bench.add({ wish: { ...WISH, priority: 5 } });
  assert.deepEqual(bench.sources[0]!.said, ["start", "stop"]);
  const another = bench.add();
  assert.match(errorOf(other.outcomes).message, /^another ADD has come for eth0 in /);
  bench.sources[2]!.bind(SECOND);
  assert.deepEqual(another.outcomes, [{ result: result(SECOND) }]);
  assert.equal(bench.records.length, 1);
});

test("an ADD for a name whose interface is another by now gets a lease anew", (t) => {
  const bench = new Bench(t);
  bench.established();
  bench.space.run("ip", "link", "delete", "eth0");
  bench.space.run("ip", "link", "add", "eth0", "index", "77", "type", "veth", "peer", "name", "far");
  const { outcomes } = bench.add();
  assert.deepEqual([bench.sources[0]!.said.at(-1), outcomes], ["stop", []]);
  bench.sources[1]!.bind(SECOND);
  assert.deepEqual(outcomes, [{ result: result(SECOND) }]);
});

test("an interface that another container has by now is let go", (t) => {
  const bench = new Bench(t);
  const source = bench.established();
  bench.add({ containerId: "c2" });
  assert.deepEqual([source.said, bench.sources[1]!.said], [["start", "stop"], ["start"]]);
  bench.sources[1]!.bind(SECOND);
  assert.deepEqual(bench.records.length, 1);
});

test("giving up tells what was seen, and gives back what was got", (t) => {
  const bench = new Bench(t);
  const { outcomes } = bench.add({ wish: BOTH });
  bench.sources[0]!.events.log("server 10.1.0.1 refuses");
  bench.scheduler.advance(PATIENCE - 1);
  assert.deepEqual(outcomes, []);
  bench.scheduler.advance(1);
  const error = errorOf(outcomes);
  assert.equal(error.code, 11);
  assert.equal(error.message, "no more tries");
  assert.equal(error.details, "IPv4: server 10.1.0.1 refuses. IPv6: no router and no DHCPv6 server answers.");
  for (const { said } of bench.sources) assert.deepEqual(said, ["start", "release"]);
  assert.throws(() => bench.attachments.check(ID), {
    code: 100,
    message: "c1/lan/eth0 is not known to the DHCP daemon",
  });
  assert.ok(bench.scheduler.idle);
});

test("a plugin that goes before its answer leaves no lease", (t) => {
  const bench = new Bench(t);
  const rows: [name: string, act: () => void][] = [
    [
      "while it is sought",
      () => {
        bench.add().leave();
      },
    ],
    [
      "while it is sent",
      () => {
        bench.add({}, false);
        bench.sources.at(-1)!.bind(FIRST);
      },
    ],
    [
      "DEL comes first",
      () => {
        bench.add();
        bench.attachments.delete(ID);
      },
    ],
  ];
  for (const [name, act] of rows) {
    act();
    bench.scheduler.advance(1);
    assert.deepEqual(bench.sources.at(-1)!.said, ["start", "release"], name);
    assert.deepEqual([bench.records, bench.attachments.list()], [[], { attachments: [] }], name);
  }
});

test("one of two plugins that go does not end the other's ADD", (t) => {
  const bench = new Bench(t);
  const [first, second] = [bench.add(), bench.add()];
  first.leave();
  bench.sources[0]!.bind(FIRST);
  assert.deepEqual([first.outcomes, second.outcomes], [[], [{ result: result(FIRST) }]]);
});

test("the MTU of a server is set, where the network says nothing and the link allows it", (t) => {
  const bench = new Bench(t);
  const rows: [wish: Partial<Wish>, mtu: number, expected: number][] = [
    [{}, 1400, 1400],
    [{ mtu: false }, 1300, 1400],
    [{}, 500, 1400],
    [{}, 70_000, 1400],
    [{}, 1500, 1500],
  ];
  for (const [change, mtu, expected] of rows) {
    const { outcomes } = bench.add({ wish: { ...WISH, ...change } });
    bench.sources.at(-1)!.bind({ ...FIRST, mtu });
    assert.deepEqual(outcomes, [{ result: result(FIRST) }]);
    assert.equal(bench.space.link("eth0").mtu, expected, `${mtu}`);
    bench.attachments.delete(ID);
  }
  const refused = bench.lines.filter((line) => line.includes("stays at MTU"));
  assert.match(refused[0]!, /^c1\/lan\/eth0: eth0 stays at MTU 1400: the server's 500 is below 576$/);
  assert.match(refused[1]!, /EINVAL/);
});

test("what a server changes is applied to the interface", (t) => {
  const bench = new Bench(t);
  const source = bench.established();
  source.bind(FIRST);
  assert.deepEqual(bench.lines, [], "nothing to say of a renewal");
  source.bind({ ...SECOND, mtu: 1400 });
  assert.deepEqual(bench.addresses, ["10.2.0.5/24"]);
  assert.deepEqual(bench.gateways, ["10.2.0.1"]);
  assert.equal(bench.space.link("eth0").mtu, 1400);
  assert.match(bench.lines[0]!, /changed from 10.1.0.5\/24 to 10.2.0.5\/24$/);
  assert.match(bench.lines[1]!, /other DNS: {"nameservers":\["10.2.0.1"\]}/);
  assert.match(readFileSync(join(bench.directory, bench.records[0]!), "utf8"), /10\.2\.0\.5/);
  assert.deepEqual(bench.attachments.check(ID), result(SECOND));
  source.bind({ ...SECOND, mtu: 1300 });
  assert.match(bench.lines[2]!, /10.2.0.5\/24 stays, other settings come$/);
});

test("a lost lease goes from the interface, the next one comes", (t) => {
  const bench = new Bench(t);
  const source = bench.established();
  source.events.lost("it ran out");
  assert.deepEqual([bench.addresses, bench.gateways], [[], []]);
  assert.deepEqual(bench.lines, ["c1/lan/eth0: lost 10.1.0.5/24: it ran out"]);
  assert.throws(() => bench.attachments.check(ID), {
    code: 100,
    message: "c1/lan/eth0 has no lease at present",
  });
  bench.scheduler.advance(10 * PATIENCE);
  // As the plugin does that configures the interface only now.
  bench.space.run("ip", "address", "add", "10.1.0.5/24", "dev", "eth0");
  source.bind(SECOND);
  assert.deepEqual([bench.addresses, bench.gateways], [["10.2.0.5/24"], ["10.2.0.1"]]);
  source.events.lost("it ran out");
  source.bind(SECOND);
  assert.deepEqual([bench.addresses, bench.gateways], [["10.2.0.5/24"], ["10.2.0.1"]]);
  assert.deepEqual(source.said, ["start"]);
});

test("an attachment ends with its namespace or its interface", (t) => {
  const ways: [name: string, act: (bench: Bench, source: ScriptedSource) => void, line: RegExp][] = [
    [
      "the source says so",
      (_, { events }) => events.gone("there is no interface eth0"),
      /ended: there is no interface eth0$/,
    ],
    [
      "the interface is another when settings change",
      (bench, source) => {
        bench.space.run("ip", "link", "delete", "eth0");
        source.bind(SECOND);
        bench.scheduler.advance(0);
      },
      /ended: there is no interface eth0 in/,
    ],
    [
      "the namespace went",
      (bench) => {
        execFileSync("umount", ["-l", `/run/netns/${bench.space.name}`]);
        bench.scheduler.advance(5_000);
      },
      /ended: there is no namespace .* any more$/,
    ],
  ];
  for (const [name, act, line] of ways) {
    const bench = new Bench(t);
    bench.attachments.resume();
    const source = bench.established();
    act(bench, source);
    assert.match(bench.lines.at(-1)!, line, name);
    assert.deepEqual([bench.records, source.said], [[], ["start", "stop"]], name);
  }
});

test("an ADD for what is not there fails at once", (t) => {
  const bench = new Bench(t);
  for (const [change, message] of [
    [{ netns: "/run/netns/no-such" }, /namespace \/run\/netns\/no-such does not exist/],
    [{ netns: "/proc/self/ns/uts" }, /is no network namespace/],
    [{ ifName: "eth9" }, /no interface eth9/],
  ] as const)
    assert.throws(() => bench.add(change), { code: 100, message });
  assert.equal(bench.sources.length, 0);
});

test("GC releases what its network has besides the list", (t) => {
  const bench = new Bench(t);
  for (const ifName of ["eth1", "eth2"])
    bench.space.run("ip", "link", "add", ifName, "type", "veth", "peer", "name", `far-${ifName}`);
  bench.add({ containerId: "c1" });
  bench.add({ containerId: "c2", ifName: "eth1" });
  bench.add({ containerId: "c2", ifName: "eth2", network: "wan" });
  for (const source of bench.sources) source.bind(FIRST);
  bench.add({ containerId: "under way", ifName: "far" });
  bench.attachments.collect({
    command: "GC",
    network: "lan",
    validAttachments: [{ containerId: "c1", ifName: "eth0" }],
  });
  assert.deepEqual(
    bench.sources.map(({ said }) => said.at(-1)),
    ["start", "release", "start", "start"],
  );
  for (const repeated of [1, 2]) bench.attachments.delete({ ...ID, containerId: `no such ${repeated}` });
});

test("a daemon that is started again goes on with the leases", (t) => {
  const before = new Bench(t);
  before.established();
  before.add({ wish: WISH, ifName: "far" });
  before.sources[1]!.bind(SECOND, Number.POSITIVE_INFINITY);
  before.attachments.suspend();
  assert.deepEqual(
    before.sources.map(({ said }) => said.at(-1)),
    ["stop", "stop"],
  );
  const names = before.records;
  assert.equal(names.length, 2);
  // What is no record, what is of another run of the machine, and what a killed daemon leaves.
  const text = readFileSync(join(before.directory, names[0]!), "utf8");
  const hex = (digit: string) => join(before.directory, digit.repeat(32));
  writeFileSync(hex("1"), text.slice(0, 100));
  writeFileSync(hex("2"), text.replace(/"boot":"[^"]*"/, '"boot":"another"'));
  writeFileSync(hex("3"), text.replace('"format":1', '"format":2'));
  const gone = createHash("sha512").update("c4/lan/eth0").digest("hex").slice(0, 32);
  const ofGone = text
    .replace(before.space.name, "no-such")
    .replace(/"containerId":"c1"/, '"containerId":"c4"');
  writeFileSync(join(before.directory, gone), ofGone.replace('"far"', '"eth0"'));
  writeFileSync(`${hex("5")}.1.tmp`, text);
  execFileSync("sh", ["-c", `cp -r ${before.directory} ${before.directory}-2`]);
  const after = new Bench(t, before.space, `${before.directory}-2`);
  after.attachments.resume();
  const [first, second] = after.sources.sort((a, b) =>
    a.context.id.ifName.localeCompare(b.context.id.ifName),
  );
  assert.deepEqual(first!.startedWith?.settings.ips, FIRST.ips);
  assert.deepEqual(first!.startedWith?.memory, { server: "10.1.0.1" });
  assert.equal(second!.startedWith?.expiresAt, Number.POSITIVE_INFINITY);
  assert.equal(after.sources.length, 2);
  assert.deepEqual(after.attachments.check(ID), result(FIRST));
  assert.deepEqual(after.records.sort(), [...names, `${"1".repeat(32)}.bad`, `${"3".repeat(32)}.bad`].sort());
  assert.equal(after.lines.length, 3);
  assert.match(
    after.lines.at(-1)!,
    /^attachments taken up again: 2; ended with their containers meanwhile: 1$/,
  );
  // It is the same interface: an ADD is served.
  assert.deepEqual(after.add().outcomes, [{ result: result(FIRST) }]);
});

test("a lease whose namespace cannot be looked at for now is kept", (t) => {
  const before = new Bench(t);
  const path = `${before.directory}-namespace`;
  t.after(() => rmSync(path));
  symlinkSync(`/run/netns/${before.space.name}`, path);
  before.add({ netns: path });
  before.sources[0]!.bind(FIRST);
  before.attachments.suspend();
  rmSync(path);
  symlinkSync(path, path);
  execFileSync("cp", ["-r", before.directory, `${before.directory}-2`]);
  const after = new Bench(t, before.space, `${before.directory}-2`);
  after.attachments.resume();
  after.scheduler.advance(5_000);
  assert.deepEqual([after.sources[0]?.said, after.records.length], [["start"], 1]);
});

test("a lease that ran out meanwhile is taken from the interface, and sought anew", (t) => {
  const before = new Bench(t);
  before.established().bind(FIRST, before.scheduler.now() - 1);
  const path = before.directory;
  before.attachments.suspend();
  execFileSync("cp", ["-r", path, `${path}-2`]);
  const after = new Bench(t, before.space, `${path}-2`);
  after.attachments.resume();
  assert.deepEqual([after.addresses, after.gateways], [[], []]);
  assert.deepEqual([after.sources[0]!.said, after.sources[0]!.startedWith], [["start"], undefined]);
  assert.match(after.lines[0]!, /lost 10.1.0.5\/24: it ran out/);
});

test("when the daemon ends, who waits is told to try again, and gives back what was got", (t) => {
  const bench = new Bench(t);
  const { outcomes } = bench.add({ wish: BOTH });
  bench.sources[0]!.bind(FIRST);
  bench.attachments.suspend();
  assert.equal(errorOf(outcomes).code, 11);
  for (const { said } of bench.sources) assert.deepEqual(said, ["start", "release"]);
  assert.deepEqual(bench.records, []);
});

test("a record that cannot be written fails the ADD", (t) => {
  const bench = new Bench(t);
  const { outcomes } = bench.add();
  rmSync(bench.directory, { recursive: true });
  bench.sources[0]!.bind(FIRST);
  bench.scheduler.advance(0);
  const error = errorOf(outcomes);
  assert.deepEqual([error.code, error.message.replace(/ .*:/, "")], [100, "open ENOENT"]);
  assert.deepEqual(bench.sources[0]!.said, ["start", "release"]);
});
