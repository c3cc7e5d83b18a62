import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { addLeavesNothing, delClearsKilled, delTells, INJECTIONS } from "./injection.ts";
import { besideReference, type Container, type Json, reference, World } from "./world.ts";

const type = "bandwidth";
const ingress = { ingressRate: 8e6, ingressBurst: 8e5 };
const egress = { egressRate: 16e6, egressBurst: 16e5 };
const both = { type, ...ingress, ...egress };

/** Joins a container to the host as ptp does; gives what ptp would say. */
function plug(w: World, c: Container, ifName = "eth0", mtu = 1500): Json {
  const name = `v${c.id}${ifName}`;
  const address = `10.${ifName.slice(3)}.0.${c.id.slice(1)}`;
  const peer = ["peer", "name", ifName, "netns", c.id, "mtu", `${mtu}`];
  w.must("ip", "link", "add", name, "mtu", `${mtu}`, "up", "type", "veth", ...peer);
  // No address of its own, whose state would change by itself.
  c.must("ip", "link", "set", ifName, "addrgenmode", "none", "up");
  return {
    cniVersion: "1.1.0",
    interfaces: [{ name }, { name: ifName, sandbox: c.netns }],
    ips: [{ interface: 1, address: `${address}/24` }],
  };
}

/** The same in another version. */
function inVersion(cniVersion: string, { interfaces, ips: [{ address }] }: Json): Json {
  if (cniVersion < "0.3.0") return { cniVersion, ip4: { ip: address } };
  const version = cniVersion < "1.0.0" ? { version: "4" } : {};
  return { cniVersion, interfaces, ips: [{ interface: 1, address, ...version }] };
}

/** What tc tells of a link: its limit in bytes, and where that which comes in goes to. */
function shaping(w: World, dev: string): Json {
  const qdiscs = JSON.parse(w.must("tc", "-j", "-raw", "qdisc", "show", "dev", dev));
  const filters = JSON.parse(w.must("tc", "-j", "filter", "show", "dev", dev, "parent", "ffff:"));
  return {
    qdiscs: qdiscs.map(({ kind, handle, parent, options }: Json) => ({ kind, handle, parent, ...options })),
    filters: filters.flatMap(({ kind, protocol, pref, options }: Json) => {
      if (!options?.actions) return [];
      const { match, flowid, actions } = options;
      const [{ kind: action, mirred_action, direction, to_dev, control_action }] = actions;
      return [
        { kind, protocol, pref, match, flowid, action, mirred_action, direction, to_dev, control_action },
      ];
    }),
  };
}

const kindsOf = (w: World, dev: string): string[] => shaping(w, dev).qdiscs.map(({ kind }: Json) => kind);
const limitOf = (w: World, dev: string) => shaping(w, dev).qdiscs.find(({ kind }: Json) => kind === "tbf");
const ifbs = (w: World): string[] => w.ip("link", "show", "type", "ifb").map(({ ifname }) => ifname);
const last = <T>(list: readonly T[]): T => list.at(-1)!;

const RECEIVER = `require("node:net").createServer((socket) => {
  const start = process.hrtime.bigint();
  let bytes = 0;
  socket.on("data", (data) => { bytes += data.length; });
  socket.on("end", () => {
    console.log(JSON.stringify({ bytes, seconds: Number(process.hrtime.bigint() - start) / 1e9 }));
    process.exit();
  });
}).listen(5001, "::", () => console.log("ready"))`;
const SENDER = `require("node:net").connect(5001, process.argv[1]).end(Buffer.alloc(Number(process.argv[2])))`;

/** Sends bytes by TCP; gives how long they took to come. */
async function transfer(
  t: TestContext,
  w: World,
  way: { readonly from: string[]; readonly to: string[]; readonly address: string; readonly bytes: number },
): Promise<{ readonly bytes: number; readonly seconds: number }> {
  const receiver = w.spawn(t, ...way.to, process.execPath, "-e", RECEIVER);
  const lines = createInterface(receiver.stdout)[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, "ready");
  const sender = w.spawn(t, ...way.from, process.execPath, "-e", SENDER, way.address, `${way.bytes}`);
  const [{ value }] = await Promise.all([lines.next(), once(sender, "close")]);
  return JSON.parse(value);
}

test("real traffic keeps to the limits, in both directions and both families", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const ranges = [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]];
  const made = w.add({ type: "ptp", ipam: { type: "host-local", ranges } }, c1);
  w.add(both, c1, { prevResult: made });
  const inside = ["ip", "netns", "exec", c1.id];
  const bytes = 8e5;
  for (const [what, rate, burst, way] of [
    ["to the container", 8e6, 8e5, { from: [], to: inside, address: "10.1.0.2" }],
    ["to the container, IPv6", 8e6, 8e5, { from: [], to: inside, address: "fd01::2" }],
    ["from the container", 16e6, 16e5, { from: inside, to: [], address: "10.1.0.1" }],
    ["from the container, IPv6", 16e6, 16e5, { from: inside, to: [], address: "fd01::1" }],
  ] as const) {
    const { bytes: came, seconds } = await transfer(t, w, {
      ...way,
      from: [...way.from],
      to: [...way.to],
      bytes,
    });
    assert.equal(came, bytes);
    // Never more than a full bucket and what it has got since. An idle machine without limit needs a millisecond.
    assert.ok(came * 8 <= burst + rate * seconds, `${what}: ${came} bytes in ${seconds} s`);
  }
});

test("ingressRate, ingressBurst: what goes to the container is limited", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { type, ...ingress };
  const prevResult = plug(w, c1);
  const before = w.state();
  const result = w.add(config, c1, { prevResult });
  assert.deepEqual(result, prevResult);
  assert.deepEqual(kindsOf(w, "vc1eth0"), ["tbf"]);
  const { rate, burst, limit } = limitOf(w, "vc1eth0");
  assert.deepEqual([rate, burst, limit], [1e6, 1e5, 1e6 / 40 + 1e5]);
  w.check(config, c1, result);
  w.del(config, c1, { prevResult: result });
  assert.deepEqual(w.state(), before);
});

test("egressRate, egressBurst: what comes from the container is limited, by an IFB", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { type, ...egress };
  const prevResult = plug(w, c1, "eth0", 1400);
  const before = w.state();
  const result = w.add(config, c1, { prevResult });
  const ifb = w.link(last<Json>(result.interfaces).name);
  const added = { name: ifb.ifname, mac: ifb.address };
  assert.deepEqual(result, { ...prevResult, interfaces: [...prevResult.interfaces, added] });
  assert.deepEqual([ifb.mtu, ifb.flags.includes("UP"), ifb.ifalias], [1400, true, "cni:net/c1/eth0"]);
  assert.deepEqual(kindsOf(w, "vc1eth0"), ["noqueue", "ingress"]);
  assert.equal(shaping(w, "vc1eth0").filters[0].to_dev, ifb.ifname);
  const { rate, burst, limit } = limitOf(w, ifb.ifname);
  assert.deepEqual([rate, burst, limit], [2e6, 2e5, 2e6 / 40 + 2e5]);
  w.check(config, c1, result);
  w.del(config, c1, { prevResult: result });
  assert.deepEqual(w.state(), before);
});

test("the kernel has what the reference makes, for any limit", besideReference, async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = plug(w, c1);
  const values: [rate: number, burst: number][] = [
    [8e6, 8e5],
    [1_000_003, 77_777],
    [1e8, 4_294_967_295],
    [1e9, 2_147_483_647],
    [123_456_789, 12_345_678],
    [1e11, 8e9],
  ];
  for (const [rate, burst] of values) {
    const config = { type, ingressRate: rate, ingressBurst: burst, egressRate: rate, egressBurst: burst };
    const seen = [w.bin, reference!].map((path) => {
      // The reference knows 1.0.0 at the most.
      const settings = { path, prevResult: { ...prevResult, cniVersion: "1.0.0" } };
      const result = w.add({ ...config, cniVersion: "1.0.0" }, c1, settings);
      const ifb = last<Json>(result.interfaces).name;
      const { mtu, txqlen, flags } = w.link(ifb);
      const state = { ifb, mtu, txqlen, flags, host: shaping(w, "vc1eth0"), limit: limitOf(w, ifb) };
      // Each is content with what the other has made, and removes it.
      const other = path === w.bin ? reference! : w.bin;
      for (const by of [w.bin, reference!])
        w.check({ ...config, cniVersion: "1.0.0" }, c1, result, { path: by });
      w.del({ ...config, cniVersion: "1.0.0" }, c1, { path: other, prevResult: result });
      assert.deepEqual(ifbs(w), []);
      // The reference leaves them to the plugin that deletes the pair.
      for (const place of ["root", "ingress"]) w.exec(["tc", "qdisc", "del", "dev", "vc1eth0", place]);
      return state;
    });
    assert.deepEqual(seen[0], seen[1], `${rate} bit/s, ${burst} bit`);
  }
});

const none = { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 };

test("a static configuration wins over runtimeConfig, whose keys may have any case; 0 is no limit", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = plug(w, c1);
  const before = w.state();
  const runtime = { runtimeConfig: { bandwidth: { IngressRate: 4e6, IngressBurst: 4294967295 } } };
  const limits = (config: Json) => {
    const result = w.add({ type, ...config }, c1, { prevResult });
    w.check({ type, ...config }, c1, result);
    const rates = ["vc1eth0", ...ifbs(w)].map((dev) => limitOf(w, dev)?.rate);
    w.del({ type, ...config }, c1, { prevResult: result });
    assert.deepEqual(w.state(), before);
    return rates;
  };
  assert.deepEqual(limits(runtime), [5e5]);
  assert.deepEqual(limits({ ...ingress, ...runtime }), [1e6]);
  assert.deepEqual(limits({ ...egress, ...runtime }), [undefined, 2e6]);
  assert.deepEqual(limits({ ingressRate: 0, ...runtime }), [undefined]);
  for (const config of [{}, none, { runtimeConfig: {} }, { runtimeConfig: { bandwidth: none } }])
    assert.deepEqual(limits(config), [undefined]);
});

for (const [options, msg] of [
  [{ ingressRate: 8e6 }, "if rate is set, burst must also be set"],
  [{ ingressBurst: 8e6 }, "if burst is set, rate must also be set"],
  [{ ...ingress, egressRate: 8e6 }, "if rate is set, burst must also be set"],
  [{ ...ingress, egressBurst: 8e6 }, "if burst is set, rate must also be set"],
  [{ egressRate: 8e6, egressBurst: 8 * (2 ** 32 - 1) }, "burst cannot be more than 4GB"],
  [{ egressRate: 7, egressBurst: 8e6 }, "rate and burst must be 8 at least, which is a byte"],
  [{ egressRate: 8e6, egressBurst: 7 }, "rate and burst must be 8 at least, which is a byte"],
  [
    { ingressRate: -1, ingressBurst: 8 },
    "invalid configuration: ingressRate: expected a whole number from 0, got -1",
  ],
  [
    { runtimeConfig: { bandwidth: { egressRate: "1M" } } },
    'invalid configuration: runtimeConfig.bandwidth.egressRate: expected a whole number from 0, got "1M"',
  ],
] as const)
  test(`limits that have no sense are refused: ${JSON.stringify(options)}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = plug(w, c1);
    const before = w.state();
    for (const verb of ["ADD", "CHECK", "STATUS"] as const) {
      if (verb === "STATUS" && "runtimeConfig" in options) continue;
      const error = w.refused(verb, { type, ...options }, c1, { prevResult });
      assert.deepEqual([error.code, error.msg], [7, msg]);
    }
    assert.deepEqual(w.state(), before);
  });

test("the largest burst, and one that fills in less than a microsecond", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = plug(w, c1);
  const sizes = [
    { egressRate: 1e9, egressBurst: 8 * (2 ** 32 - 2) },
    { egressRate: 1e6, egressBurst: 2 ** 32 - 1 },
    { egressRate: 1e10, egressBurst: 8_000 },
  ];
  for (const size of sizes) {
    const config = { type, ...size };
    const result = w.add(config, c1, { prevResult });
    w.check(config, c1, result);
    const { limit } = limitOf(w, last<Json>(result.interfaces).name);
    const wanted = Math.floor(size.egressRate / 8 / 40) + Math.floor(size.egressBurst / 8);
    assert.equal(limit, Math.min(wanted, 2 ** 32 - 1));
    const other = { ...config, egressBurst: size.egressBurst - 8 };
    if (limit === wanted)
      assert.match(w.refused("CHECK", other, c1, { prevResult: result }).msg, /another burst/);
    w.del(config, c1);
  }
});

test("it must be chained behind a plugin that makes a veth pair", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = plug(w, c1);
  const before = w.state();
  const refused = (settings: Json) => w.refused("ADD", both, c1, settings);
  assert.equal(refused({}).msg, "must be called as chained plugin");
  assert.equal(refused({ prevResult, ifName: "eth7" }).msg, "interface eth7 not found");

  c1.must("ip", "link", "add", "eth1", "type", "ifb");
  const foreign = refused({ prevResult, ifName: "eth1" });
  assert.equal(foreign.msg, "container interface eth1 has no veth peer");
  assert.match(foreign.details, /^It is ifb: /);
  // A pair whose ends are both in the container, and one whose other end is in a third namespace.
  c1.must("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "eth3");
  w.container("c2");
  c1.must("ip", "link", "add", "eth4", "type", "veth", "peer", "name", "far", "netns", "c2");
  for (const ifName of ["eth2", "eth4"])
    assert.match(refused({ prevResult, ifName }).msg, /^veth peer with index \d+ is not in host ns$/);
  assert.deepEqual(w.state(), before);
});

test("a result that does not name the host's end will do", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const { interfaces: _, ...prevResult } = plug(w, c1);
  const result = w.add(both, c1, { prevResult: { ...prevResult, ips: [{ address: "10.0.0.1/24" }] } });
  assert.deepEqual(
    result.interfaces.map(({ name }: Json) => name),
    ifbs(w),
  );
  w.check(both, c1, result);
  assert.equal(limitOf(w, "vc1eth0").rate, 1e6);
});

for (const cniVersion of VERSIONS)
  test(`bandwidth in version ${cniVersion}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = inVersion(cniVersion, plug(w, c1));
    const before = w.state();
    const config = { ...both, cniVersion };
    const result = w.add(config, c1, { prevResult });
    assert.equal(result.cniVersion, cniVersion);
    assert.equal(result.interfaces?.length, cniVersion < "0.3.0" ? undefined : 3);
    if (cniVersion >= "0.4.0") w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual(w.state(), before);
  });

test("interfaces of one container on one network have an IFB each", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  const ifNames = ["eth0", "eth1", "eth2"];
  const results = ifNames.map((ifName) => {
    const prevResult = plug(w, c1, ifName);
    return w.add(both, c1, { ifName, prevResult });
  });
  const names = results.map(({ interfaces }) => last<Json>(interfaces).name);
  assert.equal(new Set(names).size, 3);
  assert.deepEqual(ifbs(w).toSorted(), names.toSorted());
  for (const [i, ifName] of ifNames.entries()) {
    const result = results[i];
    for (const [j, other] of ifNames.entries()) if (j >= i) w.check(both, c1, results[j], { ifName: other });
    // Twice, as containerd does, and the second time without the result.
    w.del(both, c1, { ifName, prevResult: result });
    w.del(both, c1, { ifName });
    assert.deepEqual(ifbs(w).toSorted(), names.slice(i + 1).toSorted());
    w.must("ip", "link", "del", `vc1${ifName}`);
  }
  assert.deepEqual(w.state(), before);
});

test("a container on two networks, and containers of one network", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container(), w.container("c2")];
  const first = w.add(both, c1, { prevResult: plug(w, c1) });
  const other = { ...both, name: "other" };
  const second = w.add(other, c1, { ifName: "eth1", prevResult: plug(w, c1, "eth1") });
  const third = w.add(both, c2, { prevResult: plug(w, c2) });
  assert.equal(ifbs(w).length, 3);
  w.del(both, c1, { prevResult: first });
  w.check(other, c1, second, { ifName: "eth1" });
  w.check(both, c2, third);
  w.del(other, c1, { ifName: "eth1" });
  w.check(both, c2, third);
});

test("two in one chain, one for each direction", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  const prevResult = plug(w, c1);
  const [to, from] = [
    { type, ...ingress },
    { type, ...egress },
  ];
  const result = w.add(from, c1, { prevResult: w.add(to, c1, { prevResult }) });
  for (const config of [to, from, both]) w.check(config, c1, result);
  for (const config of [from, to]) w.del(config, c1, { prevResult: result });
  w.must("ip", "link", "del", "vc1eth0");
  assert.deepEqual(w.state(), before);
});

test("what an ADD has left that nobody has undone is replaced", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  w.add(both, c1, { prevResult: plug(w, c1) });
  const [name] = ifbs(w);
  w.must("ip", "link", "del", "vc1eth0");
  const result = w.add(both, c1, { prevResult: plug(w, c1) });
  assert.deepEqual(ifbs(w), [name]);
  w.check(both, c1, result);
});

for (const [what, occupy, left] of [
  ["its queue", ["root", "handle", "1:", "pfifo"], /^qdisc pfifo 1: root/m],
  ["filters", ["clsact"], /^qdisc clsact ffff:/m],
] as const)
  test(`a host's end for which somebody else has chosen ${what} is refused, and stays as it is`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = plug(w, c1);
    w.must("tc", "qdisc", "add", "dev", "vc1eth0", ...occupy);
    const before = w.state();
    const error = w.refused("ADD", both, c1, { prevResult });
    assert.equal(error.code, 100);
    assert.match(error.msg, /^cannot add qdisc \w+ to vc1eth0: File exists \(EEXIST\)/);
    assert.deepEqual(w.state(), before);
    w.del(both, c1, { prevResult });
    assert.match(w.must("tc", "qdisc", "show", "dev", "vc1eth0"), left);
  });

test("DEL removes the IFB whatever is left of the rest, and again", async (t) => {
  const w = await World.start(t);
  const empty = w.state();
  const settings: Json = { result: (prevResult: Json) => ({ prevResult }), nothing: () => ({}) };
  for (const given of Object.keys(settings))
    for (const happened of [
      "nothing",
      "no namespace",
      "renamed",
      "pair gone",
      "namespace gone",
      "limits gone",
    ]) {
      const c1 = w.container();
      const result = w.add(both, c1, { prevResult: plug(w, c1) });
      if (happened === "renamed") {
        c1.must("ip", "link", "set", "eth0", "down");
        c1.must("ip", "link", "set", "eth0", "name", "other");
      }
      if (happened === "pair gone") w.must("ip", "link", "del", "vc1eth0");
      if (happened === "namespace gone") c1.vanish();
      const config = happened === "limits gone" ? { type } : both;
      const netns = happened === "no namespace" ? { netns: "" } : {};
      for (const _ of [1, 2]) {
        w.del(config, c1, { ...settings[given](result), ...netns });
        assert.deepEqual(ifbs(w), [], `${happened}, with ${given}`);
      }
      if (w.link("vc1eth0")) w.must("ip", "link", "del", "vc1eth0");
      if (happened !== "namespace gone") c1.vanish();
      assert.deepEqual(w.state(), empty);
    }
});

test("DEL of what was never added", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  w.del(both, c1);
  const prevResult = plug(w, c1);
  const before = w.state();
  for (const config of [both, { type, ingressRate: 8 }, { type }]) w.del(config, c1, { prevResult });
  assert.deepEqual(w.state(), before);
});

const damages: [what: string, damage: (w: World, ifb: string, c1: Container) => unknown, msg: RegExp][] = [
  [
    "the limit to the container is gone",
    (w) => w.must("tc", "qdisc", "del", "dev", "vc1eth0", "root"),
    /^vc1eth0 has no rate limit$/,
  ],
  [
    "another kind of queue",
    (w) => w.must("tc", "qdisc", "replace", "dev", "vc1eth0", "root", "pfifo"),
    /^vc1eth0 has no rate limit$/,
  ],
  [
    "another rate to the container",
    (w) => retune(w, "vc1eth0", "16mbit", "100000"),
    /^the rate of vc1eth0 is 16000000 bit\/s, not 8000000$/,
  ],
  [
    "another burst to the container",
    (w) => retune(w, "vc1eth0", "8mbit", "50000"),
    /^vc1eth0 has another burst than 800000 bit$/,
  ],
  [
    "the limit from the container is gone",
    (w, ifb) => w.must("tc", "qdisc", "del", "dev", ifb, "root"),
    /^bwp\w+ has no rate limit$/,
  ],
  [
    "another rate from the container",
    (w, ifb) => retune(w, ifb, "8mbit", "200000"),
    /^the rate of bwp\w+ is 8000000 bit\/s, not 16000000$/,
  ],
  [
    "the filter is gone",
    (w) => w.must("tc", "filter", "del", "dev", "vc1eth0", "parent", "ffff:"),
    /^what comes in by vc1eth0 is not redirected to bwp\w+$/,
  ],
  [
    "the filters' qdisc is gone",
    (w) => w.must("tc", "qdisc", "del", "dev", "vc1eth0", "ingress"),
    /^what comes in by vc1eth0 is not redirected to bwp\w+$/,
  ],
  [
    "the IFB is gone",
    (w, ifb) => w.must("ip", "link", "del", ifb),
    /^the IFB that limits what comes from eth0 is missing$/,
  ],
  ["the IFB is down", (w, ifb) => w.must("ip", "link", "set", ifb, "down"), /^interface bwp\w+ is down$/],
  [
    "the IFB is another link",
    (w, ifb) => {
      w.must("ip", "link", "del", ifb);
      w.must("ip", "link", "add", ifb, "type", "bridge");
    },
    /^interface bwp\w+ is bridge, not ifb$/,
  ],
  [
    "the IFB is another one",
    (w, ifb) => {
      w.must("ip", "link", "del", ifb);
      w.must("ip", "link", "add", ifb, "up", "type", "ifb");
    },
    /^interface bwp\w+ has MAC [0-9a-f:]+, not /,
  ],
  ["the pair is gone", (w) => w.must("ip", "link", "del", "vc1eth0"), /^interface eth0 not found$/],
  [
    "the host's end is elsewhere",
    (w) => {
      w.container("c2");
      w.must("ip", "link", "set", "vc1eth0", "netns", "c2");
    },
    /^veth peer with index \d+ is not in host ns$/,
  ],
];

function retune(w: World, dev: string, rate: string, burst: string): void {
  const limit = ["tbf", "rate", rate, "burst", burst, "latency", "25ms"];
  w.must("tc", "qdisc", "change", "dev", dev, "root", "handle", "1:", ...limit);
}

for (const [what, damage, msg] of damages)
  test(`CHECK of bandwidth finds: ${what}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const result = w.add(both, c1, { prevResult: plug(w, c1) });
    w.check(both, c1, result);
    damage(w, last<Json>(result.interfaces).name, c1);
    const error = w.refused("CHECK", both, c1, { prevResult: result });
    assert.deepEqual([error.code, msg.test(error.msg)], [100, true], error.msg);
    w.del(both, c1, { prevResult: result });
  });

test("CHECK of bandwidth wants the result of ADD, and other limits are damage", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add(both, c1, { prevResult: plug(w, c1) });
  assert.equal(w.refused("CHECK", both, c1).msg, "prevResult is missing");
  const faster = { ...both, ingressRate: 9e6 };
  assert.equal(
    w.refused("CHECK", faster, c1, { prevResult: result }).msg,
    "the rate of vc1eth0 is 8000000 bit/s, not 9000000",
  );
});

test("GC of bandwidth deletes the stale IFBs of its network alone", async (t) => {
  const w = await World.start(t);
  const containers = ["c1", "c2", "c3"].map((id) => w.container(id));
  const [c1, c2, c3] = containers as [Container, Container, Container];
  const other = { ...both, name: "other" };
  const results = containers.map((c) => w.add(both, c, { prevResult: plug(w, c) }));
  const second = w.add(both, c1, { ifName: "eth1", prevResult: plug(w, c1, "eth1") });
  const foreign = w.add(other, c2, { ifName: "eth1", prevResult: plug(w, c2, "eth1") });
  w.must("ip", "link", "add", "bwp0", "type", "ifb");
  c3.vanish();
  const named = (...list: Json[]) =>
    ["bwp0", ...list.map(({ interfaces }) => last<Json>(interfaces).name)].toSorted();

  w.gc(both, ["c1/eth0", "c1/eth1", "gone/eth0"]);
  assert.deepEqual(ifbs(w).toSorted(), named(results[0], second, foreign));
  w.check(both, c1, results[0]);
  w.check(other, c2, foreign, { ifName: "eth1" });
  w.gc(both, ["c1/eth1"]);
  assert.deepEqual(ifbs(w).toSorted(), named(second, foreign));
  w.check(both, c1, second, { ifName: "eth1" });
  w.gc(both, []);
  assert.deepEqual(ifbs(w).toSorted(), named(foreign));
  w.gc(other, []);
  assert.deepEqual(ifbs(w), ["bwp0"]);
});

test("STATUS of bandwidth is ready, and changes nothing", async (t) => {
  const w = await World.start(t);
  const before = w.state();
  for (const config of [both, { type }]) w.status(config);
  assert.deepEqual(w.state(), before);
});

test("STATUS of bandwidth fails where an ADD could not succeed", async (t) => {
  const w = await World.start(t);
  const { code, msg } = w.refused("STATUS", { type, ingressRate: 8 });
  assert.deepEqual([code, msg], [7, "if rate is set, burst must also be set"]);
  // The kernel is asked for an IFB, and cannot be. What comes after is the answer, which goes through a socket too.
  const wrap = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=sendto:error=EOPNOTSUPP:when=1"];
  const { output } = w.call("STATUS", both, undefined, { wrap });
  assert.match(output.msg, /EOPNOTSUPP/);
  w.status({ type, ...ingress }, { wrap });
});

for (const injection of INJECTIONS.slice(0, 3))
  test(`ADD of bandwidth, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
    const world = await World.start(t);
    const container = world.container();
    const settings = { prevResult: plug(world, container) };
    // A second interface, whose IFB has the first name.
    const ifName = "eth1";
    world.add(both, container, { ifName, prevResult: plug(world, container, ifName) });
    assert.ok(addLeavesNothing({ world, container, config: both, settings }, injection) > 0);
    assert.deepEqual(ifbs(world).length, 1);
  });

test("bandwidth, killed behind any sendto of ADD, leaves nothing that DEL does not find", async (t) => {
  const world = await World.start(t);
  const container = world.container();
  const settings = { prevResult: plug(world, container) };
  assert.ok(delClearsKilled({ world, container, config: both, settings }, "sendto") > 0);
});

test("DEL of bandwidth tells of each sendto that fails, and the next DEL removes the rest", async (t) => {
  const world = await World.start(t);
  const container = world.container();
  const settings = { prevResult: plug(world, container) };
  assert.ok(delTells({ world, container, config: both, settings }, "sendto") > 0);
});
