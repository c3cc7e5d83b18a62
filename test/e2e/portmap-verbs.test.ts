import assert from "node:assert/strict";
import { test } from "node:test";
import { BACKENDS, bridge, mapping, portmap, portsLeft } from "./portmap.ts";
import { besideReference, type Json, reference, World } from "./world.ts";

// CHECK, DEL, GC and STATUS of portmap.

for (const backend of BACKENDS)
  test(`${backend}: the ports go at DEL, whatever it is told`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = w.add(bridge, c1);
    const config = portmap(["8080:80", "8081:80/udp"], { backend });
    for (const [change, settings] of [
      [{}, { prevResult }],
      [{}, {}],
      [{}, { prevResult, netns: "" }],
      [{}, { prevResult, netns: "/run/netns/gone" }],
      // By iptables that is another interface of the container, which keeps its ports.
      ...(backend === "iptables"
        ? []
        : ([[{}, { prevResult: { ips: [{ address: "10.1.0.99/24" }] } }]] as const)),
      [{ runtimeConfig: {} }, { prevResult }],
      [{ runtimeConfig: { portMappings: [mapping("8080:80")] } }, {}],
      [{ runtimeConfig: { portMappings: [mapping("8080:80"), mapping("9000:80")] } }, { prevResult }],
      [{ backend: undefined }, { prevResult }],
      [{ backend: undefined, conditionsV4: ["what", "ever"] }, { prevResult }],
    ] as const) {
      const what = JSON.stringify([change, settings]);
      w.add(config, c1, { prevResult });
      w.del({ ...config, ...change }, c1, settings);
      assert.deepEqual(portsLeft(w), [], what);
      w.del({ ...config, ...change }, c1, settings);
    }
    w.must("nft", "flush", "ruleset");
    w.del(config, c1, { prevResult });
    w.del(config, c1);
  });

test("DEL leaves to another container what it has got meanwhile", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const config = portmap(["8080:80"]);
  w.add(config, c1, { prevResult });
  w.must("nft", "flush", "map", "ip", "cni_hostport", "forwards");
  w.must("nft", "flush", "map", "ip6", "cni_hostport", "forwards");
  // The same addresses: IPAM has given them anew.
  const c2 = w.container("c2");
  w.add(config, c2, { prevResult });
  w.del(config, c1, { prevResult });
  w.check(config, c2, prevResult);
});

test("rules of other implementations go, those for other networks and containers stay", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const rules = (id: string, address: string, port: number) => `
    add rule ip cni_hostport hostports tcp dport ${port} dnat to ${address}:80 comment "${id}"
    add rule ip cni_hostport hostip_hostports ip daddr 192.0.2.1 tcp dport ${port} dnat to ${address}:80 comment "${id}"
    add rule ip cni_hostport masquerading ip saddr ${address} ip daddr ${address} masquerade comment "${id}"`;
  const left = () =>
    w
      .rules()
      .flatMap(
        (rule) => /^ip cni_hostport \w+ (c\d) .*?(10\.\d\.0\.\d)/.exec(rule)?.slice(1).join(" ") ?? [],
      );
  for (const known of [true, false]) {
    w.del(portmap(["8080:80"]), c1, { prevResult: w.add(portmap(["8080:80"]), c1, { prevResult }) });
    const all = [rules("c1", "10.1.0.2", 8080), rules("c1", "10.2.0.2", 8081), rules("c2", "10.1.0.3", 8082)];
    w.exec(["nft", "-f", "-"], { input: all.join("\n") });
    assert.equal(left().length, 9);
    w.del(portmap(["8080:80"]), c1, known ? { prevResult } : {});
    const kept = known ? ["c1 10.2.0.2", "c2 10.1.0.3"] : ["c2 10.1.0.3"];
    assert.deepEqual(left().sort(), kept.flatMap((each) => [each, each, each]).sort());
    w.must("nft", "delete", "table", "ip", "cni_hostport");
  }
});

/** The table as the reference makes it for c1: a rule for each port, and none of our maps. */
const BY_REFERENCE = `table ip cni_hostport {
  chain hostports {
    tcp dport 8080 dnat to 10.1.0.2:80 comment "c1"
    ip daddr 192.0.2.1 tcp dport 8081 dnat to 10.1.0.2:80 comment "c1"
  }
  chain hostip_hostports { }
  chain hostports_all { jump hostip_hostports; jump hostports; }
  chain prerouting { type nat hook prerouting priority dstnat; fib daddr type local jump hostports_all; }
  chain output { type nat hook output priority -100; fib daddr type local jump hostports_all; }
  chain masquerading {
    type nat hook postrouting priority srcnat
    ip saddr 10.1.0.2 ip daddr 10.1.0.2 masquerade comment "c1"
    ip saddr 127.0.0.1 ip daddr 10.1.0.2 masquerade comment "c1"
  }
}`;
test("CHECK is content with what the reference has made by nftables, and finds what it lacks", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const v4 = { ...bridge, ipam: { ...bridge.ipam, ranges: bridge.ipam.ranges.slice(0, 1), routes: [] } };
  const result = w.add(v4, c1);
  const config = portmap(["8080:80", "192.0.2.1:8081:80"]);
  for (const mapping of config.runtimeConfig.portMappings) mapping.protocol = "tcp";
  w.must("sysctl", "-q", "net.ipv4.conf.br0.route_localnet=1");
  const load = (text: string) => assert.equal(w.exec(["nft", "-f", "-"], { input: text }).stderr, "");
  for (const [whole, spoilt, msg] of [
    ["", "", undefined],
    ["8080 dnat to 10.1.0.2", "8080 dnat to 10.1.0.9", "host port 8080/tcp is not forwarded"],
    ["8081 dnat to 10.1.0.2:80", "8081 dnat to 10.1.0.2:81", "host port 192.0.2.1:8081/tcp is not forwarded"],
    ['10.1.0.2:80 comment "c1"', '10.1.0.2:80 comment "c9"', "host port 8080/tcp is not forwarded"],
    [/ip saddr .*/g, "", "forwarded connections are not masqueraded"],
    ["-100; fib daddr type local jump hostports_all", "-100", "forwarding of ports is not in effect"],
    ["jump hostports;", "", "forwarding of ports is not in effect"],
  ] as const) {
    load(BY_REFERENCE.replace(whole, spoilt));
    if (msg === undefined) w.check(config, c1, result);
    else assert.equal(w.refused("CHECK", config, c1, { prevResult: result }).msg, msg);
    w.must("nft", "delete", "table", "ip", "cni_hostport");
  }
});

test("CHECK without a named backend is content with ports by iptables", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const config = portmap(["8080:80", "8081:80/udp"]);
  const result = w.add({ ...config, backend: "iptables" }, c1, { prevResult });
  w.check(config, c1, result);
  const refused = (wish: Json) => w.refused("CHECK", wish, c1, { prevResult: result }).msg;
  assert.equal(refused({ ...config, backend: "nftables" }), "host port 8080/tcp is not forwarded");
  w.must("iptables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT");
  assert.equal(refused(config), "host port 8080/tcp is not forwarded");
});

test(
  "DEL removes what the reference has made, and the reference what ours has by iptables",
  besideReference,
  async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const result = { ...w.add({ ...bridge, cniVersion: "1.0.0" }, c1), cniVersion: "1.0.0" };
    const config = portmap(
      ["8080:80", "8081:80/udp"].map((each) => each),
      { cniVersion: "1.0.0" },
    );
    for (const each of config.runtimeConfig.portMappings) each.protocol ??= "tcp";
    w.add(config, c1, { prevResult: result, path: reference });
    assert.ok(portsLeft(w).length > 0);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual(portsLeft(w), []);
    w.add({ ...config, backend: "iptables" }, c1, { prevResult: result });
    w.del(config, c1, { prevResult: result, path: reference });
    assert.deepEqual(portsLeft(w), []);
  },
);

for (const [what, damage, msg] of [
  ["a port", "delete element ip cni_hostport forwards { tcp . 8080 }", "host port 8080/tcp is not forwarded"],
  [
    "a port of IPv6",
    "delete element ip6 cni_hostport forwards { tcp . 8080 }",
    "host port 8080/tcp is not forwarded",
  ],
  [
    "a port of an address",
    "flush map ip cni_hostport forwards_by_address",
    "host port 192.0.2.1:8081/udp is not forwarded",
  ],
  [
    "a port leads elsewhere",
    `delete element ip cni_hostport forwards { tcp . 8080 }
     add element ip cni_hostport forwards { tcp . 8080 comment "net/c1/eth0" : 10.1.0.9 . 80 }`,
    "host port 8080/tcp leads elsewhere",
  ],
  [
    "a port has another owner",
    `delete element ip cni_hostport forwards { tcp . 8080 }
     add element ip cni_hostport forwards { tcp . 8080 comment "net/c9/eth0" : 10.1.0.2 . 80 }`,
    "host port 8080/tcp leads to container c9 (network net, interface eth0)",
  ],
  ["masquerading", "flush set ip cni_hostport masquerade_24", "forwarded connections are not masqueraded"],
  [
    "masquerading of 127.0.0.1",
    "flush set ip cni_hostport masquerade_32",
    "forwarded connections are not masqueraded",
  ],
  ...["prerouting", "output", "hostports_all", "hostports", "hostip_hostports", "masquerading"].map(
    (chain) =>
      [
        `chain ${chain}`,
        `flush chain ip cni_hostport ${chain}`,
        "forwarding of ports is not in effect",
      ] as const,
  ),
  ["a table", "delete table ip6 cni_hostport", "host port 8080/tcp is not forwarded"],
] as const)
  test(`CHECK finds: ${what}; a new ADD mends it`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = w.add(bridge, c1);
    const config = portmap(["8080:80", "192.0.2.1:8081:80/udp"]);
    w.add(config, c1, { prevResult });
    w.check(config, c1, prevResult);
    assert.equal(w.exec(["nft", "-f", "-"], { input: damage }).code, 0);
    const error = w.refused("CHECK", config, c1, { prevResult });
    assert.deepEqual([error.code, error.msg], [100, msg]);
    w.del(config, c1, { prevResult });
    w.exec(["nft", "delete element ip cni_hostport forwards { tcp . 8080 }"]);
    w.must("nft", "flush table ip cni_hostport");
    w.add(config, c1, { prevResult });
    w.check(config, c1, prevResult);
  });

test("CHECK finds: route_localnet, the rule of a condition, no prevResult", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const config = portmap(["8080:80"], { conditionsV4: ["ip saddr 192.0.2.0/24"] });
  w.add(config, c1, { prevResult });
  const refused = (settings: Json) => w.refused("CHECK", config, c1, settings).msg;
  assert.equal(refused({}), "prevResult is missing");
  w.must("sysctl", "-q", "net.ipv4.conf.br0.route_localnet=0");
  assert.equal(
    refused({ prevResult }),
    "the ports are not reached by 127.0.0.1: route_localnet of br0 is off",
  );
  w.must("sysctl", "-q", "net.ipv4.conf.br0.route_localnet=1");
  w.check(config, c1, prevResult);
  const handle = /# handle (\d+)/.exec(
    w
      .must("nft", "-a", "list", "chain", "ip", "cni_hostport", "hostports")
      .split("\n")
      .find((line) => line.includes("net/c1"))!,
  )![1]!;
  w.must("nft", "delete", "rule", "ip", "cni_hostport", "hostports", "handle", handle);
  assert.equal(refused({ prevResult }), "host port 8080/tcp is not forwarded");
});

for (const backend of BACKENDS)
  test(`${backend}: GC removes exactly what is not in the list`, async (t) => {
    const w = await World.start(t);
    const prevResult = (index: number) => ({
      ips: [{ address: `10.1.0.${index}/24` }, { address: `fd01::${index}/64` }],
    });
    const config = (index: number, name: string) =>
      portmap([`${8000 + index}:80`], {
        name,
        backend,
        ...(index === 4 && backend === "nftables" && { conditionsV4: ["ip saddr 192.0.2.0/24"] }),
      });
    const long = "n".repeat(100);
    const rows = [
      ["keep", "net"],
      ["stale", "net"],
      ["stale", "other"],
      ["keep", long],
      ["cond", "net"],
      ["stale", long],
    ] as const;
    const all = new Map(["keep", "stale", "cond"].map((id) => [id, w.container(id)]));
    for (const [index, [id, name]] of rows.entries())
      w.add(config(index, name), all.get(id)!, { prevResult: prevResult(index) });
    const verify = (index: number) => {
      const [id, name] = rows[index]!;
      return w.call("CHECK", config(index, name), all.get(id)!, { prevResult: prevResult(index) }).code;
    };
    const present = () => rows.map((_, index) => verify(index) === 0);
    assert.deepEqual(present(), [true, true, true, true, true, true]);
    w.gc(config(0, "net"), ["keep/eth0", "gone/eth0"]);
    assert.deepEqual(present(), [true, false, true, true, false, true]);
    w.gc(config(0, long), ["keep/eth0"]);
    assert.deepEqual(present(), [true, false, true, true, false, false]);
    for (const name of ["net", "other", long]) w.gc(config(0, name), []);
    assert.deepEqual(portsLeft(w), []);
  });

test("iptables: markMasqBit and externalSetMarkChain", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const marks = (lines: string[]) => lines.filter((line) => /SETMARK|MASQ|MINE/.test(line));
  for (const [options, wanted] of [
    [{ backend: "iptables" }, /--set-xmark 0x2000\/0x2000.*--mark 0x2000\/0x2000 -j MASQUERADE/s],
    [{ backend: "iptables", markMasqBit: 5 }, /--set-xmark 0x20\/0x20.*--mark 0x20\/0x20 -j MASQUERADE/s],
    [{ externalSetMarkChain: "MINE" }, /-s 127\.0\.0\.1\/32 -p tcp -m tcp --dport 8080 -j MINE/],
  ] as const) {
    const config = portmap(["8080:80"], options);
    for (const program of ["iptables", "ip6tables"]) w.must(program, "-t", "nat", "-N", "MINE");
    w.add(config, c1, { prevResult });
    assert.match(marks(w.iptables()).reverse().join("\n"), wanted);
    w.check(config, c1, prevResult);
    w.del(config, c1, { prevResult });
    w.must("nft", "flush", "ruleset");
  }
});

test("GC where nothing ever was makes nothing", async (t) => {
  const w = await World.start(t);
  const before = w.state();
  w.gc({ type: "portmap" }, []);
  assert.deepEqual(w.state(), before);
});

test("STATUS: whether the backend is there", async (t) => {
  const w = await World.start(t);
  w.status({ type: "portmap" });
  w.status({ type: "portmap", backend: "iptables" });
  w.status({ type: "portmap", conditionsV4: ["ip", "saddr", "192.0.2.0/24"] });
  const env = { PATH: "/nowhere" };
  w.status({ type: "portmap" }, { env });
  for (const config of [{ backend: "iptables" }, { externalSetMarkChain: "MARK" }])
    assert.match(w.refused("STATUS", { type: "portmap", ...config }, undefined, { env }).msg, /not found$/);
  const { code } = w.refused("STATUS", { type: "portmap", conditionsV4: ["what"] });
  assert.equal(code, 7);
});

for (const cniVersion of ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
  test(`version ${cniVersion}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const prevResult = w.add({ ...bridge, cniVersion }, c1);
    const config = portmap(["8080:80"], { cniVersion });
    assert.deepEqual(w.add(config, c1, { prevResult }), prevResult);
    // Before 0.4.0 there is no CHECK.
    if (cniVersion >= "0.4.0") w.check(config, c1, prevResult);
    w.del(config, c1, { prevResult });
    assert.deepEqual(portsLeft(w), []);
  });
