import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { addLeavesNothing, delTells, INJECTIONS } from "./injection.ts";
import { besideReference, type CallSettings, type Container, type Json, reference, World } from "./world.ts";

// Routing by source: tables and rules of addresses, and real packets by them.

const sbr = { type: "sbr" };

interface Network {
  readonly main: Json;
  readonly ifName: string;
}

/** The network number n: 10.n.0.0/24 and fdn::/64 on a bridge, or by ptp; the container has the address 2. */
function network(
  n: number,
  { type = "bridge", routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] } = {},
): Network {
  const addresses = [
    { address: `10.${n}.0.2/24`, gateway: `10.${n}.0.1` },
    { address: `fd0${n}::2/64`, gateway: `fd0${n}::1` },
  ];
  const main = {
    type,
    name: `net${n}`,
    bridge: `br${n}`,
    isGateway: true,
    ipam: { type: "static", addresses, routes },
  };
  return { main, ifName: `eth${n}` };
}

/** An interface on the network, and sbr for it; gives the result. */
function join(w: World, c: Container, { main, ifName }: Network, options: Json = {}): Json {
  const prevResult = w.add(main, c, { ifName });
  const result = w.add({ ...sbr, name: main.name, ...options }, c, { ifName, prevResult });
  assert.deepEqual(result, prevResult);
  return result;
}

/** `from ADDRESS lookup TABLE`, those looked at first first. */
function rules(c: Container): string[] {
  return [...c.ip("-4", "rule", "show"), ...c.ip("-6", "rule", "show")]
    .filter(({ src }) => src !== "all")
    .map(({ src, srclen, table }) => `from ${src}${srclen ? `/${srclen}` : ""} lookup ${table}`);
}

/** The routes of a table, as iproute2 writes them. */
function routes(c: Container, table: string | number, family: 4 | 6 = 4): string[] {
  const text = c.must("ip", `-${family}`, "route", "show", "table", `${table}`);
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("fe80"));
}

/** Everything that decides on the way of a packet from the container. */
const routing = (c: Container): Json => ({
  rules: rules(c),
  routes: ([4, 6] as const).map((family) => routes(c, "all", family)),
});

test("without options: each address has a table, from 100, with the interface's routes", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  join(w, c1, network(1));
  assert.deepEqual(rules(c1), ["from 10.1.0.2 lookup 100", "from fd01::2 lookup 101"]);
  assert.deepEqual(routes(c1, 100), [
    "default via 10.1.0.1 dev eth1",
    "10.1.0.0/24 dev eth1 proto kernel scope link src 10.1.0.2",
  ]);
  assert.deepEqual(routes(c1, 101, 6), [
    "fd01::/64 dev eth1 proto kernel metric 256 pref medium",
    "default via fd01::1 dev eth1 metric 1024 pref medium",
  ]);
  assert.deepEqual([routes(c1, "main"), routes(c1, "main", 6)], [[], []]);
  const linkLocal = (table: string) => c1.ip("-6", "route", "show", "fe80::/64", "table", table).length;
  assert.deepEqual([linkLocal("101"), linkLocal("main")], [1, 1]);

  // Without a default route of IPAM, there is one by the gateway all the same.
  join(w, c1, network(2, { routes: [] }));
  assert.deepEqual(rules(c1), [
    "from 10.2.0.2 lookup 102",
    "from 10.1.0.2 lookup 100",
    "from fd02::2 lookup 103",
    "from fd01::2 lookup 101",
  ]);
  assert.equal(routes(c1, 102)[0], "default via 10.2.0.1 dev eth2 proto 112");
  assert.equal(routes(c1, 103, 6)[1], "default via fd02::1 dev eth2 proto 112 metric 1024 pref medium");
});

for (const type of ["bridge", "ptp"])
  test(`${type}: a container on two networks answers by the interface that it was asked on`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const networks = [network(1, { type }), network(2, { type })] as const;
    const [first, second] = networks.map(({ main, ifName }) => w.add(main, c1, { ifName }));
    // Routers drop what does not come from where its source is.
    w.must("nft", "add table inet rpf; add chain inet rpf in { type filter hook prerouting priority -150; }");
    w.must("nft", "add rule inet rpf in meta nfproto ipv4 fib saddr . iif oif missing drop");
    w.must("nft", "add rule inet rpf in ip6 saddr fd00::/8 fib saddr . iif oif missing drop");
    for (const address of ["192.0.2.1/32", "2001:db8::1/128"])
      w.must("ip", "address", "add", address, "dev", "lo");
    const asked = (address: string, source: string, seconds: number) =>
      w.exec(["ping", "-c", "1", "-W", `${seconds}`, "-I", source, address]).code === 0;
    assert.equal(asked("10.1.0.2", "192.0.2.1", 5), true);
    assert.equal(asked("10.2.0.2", "192.0.2.1", 1), false);

    w.add({ ...sbr, name: "net1" }, c1, { ifName: "eth1", prevResult: first });
    w.add({ ...sbr, name: "net2" }, c1, { ifName: "eth2", prevResult: second });
    for (const n of [1, 2]) {
      assert.equal(asked(`10.${n}.0.2`, "192.0.2.1", 5), true, `10.${n}.0.2`);
      assert.equal(asked(`fd0${n}::2`, "2001:db8::1", 5), true, `fd0${n}::2`);
      for (const [source, target] of [
        [`10.${n}.0.2`, "192.0.2.1"],
        [`fd0${n}::2`, "2001:db8::1"],
      ])
        assert.equal(c1.exec("ping", "-c", "1", "-W", "5", "-I", source!, target!).code, 0, `from ${source}`);
    }
  });

test("table: rules lead to it, and no route is touched", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = network(1);
  const config = { ...sbr, name: "net1", table: 70_000, gateways: ["10.1.0.9"], addSourceHints: true };
  const prevResult = w.add(one.main, c1, one);
  const before = routing(c1).routes;
  assert.deepEqual(w.add(config, c1, { ...one, prevResult }), prevResult);
  const expected = ["from 10.1.0.2 lookup 70000", "from fd01::2 lookup 70000"];
  assert.deepEqual([rules(c1), routing(c1).routes], [expected, before]);
  w.check(config, c1, prevResult, one);
  // Another interface's rules stay, also those to the same table.
  join(w, c1, network(2), { table: 70_000 });
  w.del(config, c1, one);
  assert.deepEqual(rules(c1), ["from 10.2.0.2 lookup 70000", "from fd02::2 lookup 70000"]);
});

test("gateways: the tables' default routes lead there, in place of IPAM's", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const options = { gateways: ["10.1.0.9", "fd01::9"] };
  const result = join(
    w,
    c1,
    network(1, {
      routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd01::1" }, { dst: "10.9.0.0/16" }] as Json,
    }),
    options,
  );
  assert.deepEqual(routes(c1, 100), [
    "default via 10.1.0.9 dev eth1 proto 112",
    "10.1.0.0/24 dev eth1 proto kernel scope link src 10.1.0.2",
    "10.9.0.0/16 via 10.1.0.1 dev eth1",
  ]);
  assert.equal(routes(c1, 101, 6)[1], "default via fd01::9 dev eth1 proto 112 metric 1024 pref medium");
  const config = { ...sbr, name: "net1", ...options };
  w.check(config, c1, result, { ifName: "eth1" });
  w.check(network(1).main, c1, result, { ifName: "eth1" });
  c1.must("ip", "route", "replace", "default", "via", "10.1.0.1", "table", "100");
  const { msg } = w.refused("CHECK", config, c1, { ifName: "eth1", prevResult: result });
  assert.equal(msg, "the default route via 10.1.0.9 is missing in table 100");
  // One family may be left to IPAM.
  join(w, c1, network(2), { gateways: ["fd02::9"] });
  assert.equal(routes(c1, 102)[0], "default via 10.2.0.1 dev eth2");
  assert.equal(routes(c1, 103, 6)[1], "default via fd02::9 dev eth2 proto 112 metric 1024 pref medium");
});

test("addSourceHints: the routes to the subnets stay, with the addresses as source", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = join(w, c1, network(1), { addSourceHints: true });
  const hints = () => [routes(c1, "main"), routes(c1, "main", 6)].flat();
  assert.deepEqual(hints(), [
    "10.1.0.0/24 dev eth1 proto kernel scope link src 10.1.0.2",
    "fd01::/64 dev eth1 proto 112 src fd01::2 metric 256 pref medium",
  ]);
  assert.equal(routes(c1, 100).length, 2);
  const config = { ...sbr, name: "net1", addSourceHints: true };
  w.check(config, c1, result, { ifName: "eth1" });
  c1.must("ip", "route", "delete", "10.1.0.0/24");
  const { msg } = w.refused("CHECK", config, c1, { ifName: "eth1", prevResult: result });
  assert.equal(msg, "the route to 10.1.0.0/24 with a source is missing in table 254");

  // Another interface on the same subnet keeps its own.
  const c2 = w.container("c2");
  for (const ifName of ["eth1", "eth2"]) {
    const ipam = { type: "static", addresses: [{ address: `10.1.0.${ifName === "eth1" ? 7 : 8}/24` }] };
    join(w, c2, { main: { ...network(1).main, ipam }, ifName }, { addSourceHints: true });
  }
  assert.deepEqual(routes(c2, "main"), [
    "10.1.0.0/24 dev eth1 proto kernel scope link src 10.1.0.7",
    "10.1.0.0/24 dev eth2 proto kernel scope link src 10.1.0.8",
  ]);

  // Of ptp, neighbours are behind the gateway, and stay there.
  const c3 = w.container("c3");
  join(w, c3, network(3, { type: "ptp" }), { addSourceHints: true });
  assert.deepEqual(routes(c3, "main"), [
    "10.3.0.0/24 via 10.3.0.1 dev eth3 src 10.3.0.2",
    "10.3.0.1 dev eth3 scope link src 10.3.0.2",
  ]);
});

test("routes of every kind are moved as they are, and only the interface's own", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const [one, two] = [network(1), network(2)];
  const prevResult = w.add(one.main, c1, one);
  w.add(two.main, c1, two);
  for (const line of [
    "10.9.0.0/16 via 10.1.0.1 metric 5 mtu 1400 window 100 initcwnd 7 congctl reno proto 77 src 10.1.0.2",
    "10.10.0.0/16 via 10.77.0.1 dev eth1 onlink",
    "10.11.0.0/16 tos 0x10 via 10.1.0.1 realm 5",
    "10.12.0.0/16 nexthop via 10.1.0.3 dev eth1 weight 3 nexthop via 10.1.0.4 dev eth1",
    "10.13.0.0/16 via 10.1.0.3",
    "multicast 224.1.0.0/16 dev eth1",
    "192.0.2.1 dev eth1 scope link",
    "198.51.100.0/24 via 192.0.2.1 dev eth1",
  ])
    c1.must("ip", "route", "add", ...line.split(" "));
  // A second way, behind the first.
  c1.must(..."ip route append 10.13.0.0/16 via 10.1.0.4".split(" "));
  for (const line of [
    "fd09::/64 via fd01::1 pref high hoplimit 7 metric 9",
    "fd0a::/64 nexthop via fd01::3 dev eth1 weight 3 nexthop via fd01::4 dev eth1",
    "fd0b::/64 nexthop via fd01::3 dev eth1 nexthop via fd02::3 dev eth2",
  ])
    c1.must("ip", "-6", "route", "add", ...line.split(" "));
  c1.must(..."ip route add blackhole 10.66.0.0/16".split(" "));
  c1.must(..."ip route add 10.67.0.0/16 nexthop via 10.1.0.3 nexthop via 10.2.0.3".split(" "));
  const isFirsts = (text: string) => !/eth2|blackhole|10\.67/.test(text);
  const before = routes(c1, "main").join("\n").replaceAll("\n\t", " ");
  w.add({ ...sbr, name: "net1" }, c1, { ...one, prevResult });

  const oneline = (table: string, family: 4 | 6) =>
    c1
      .must("ip", "-oneline", `-${family}`, "route", "show", "table", table)
      .split("\n")
      .map((line) => line.replaceAll("\\", "").replaceAll(/\s+/g, " ").trim())
      .filter((line) => line !== "" && !line.startsWith("fe80"));
  const moved = before
    .split("\n")
    .filter((line) => !/nexthop/.test(line) && isFirsts(line) && !/^10\.(12|67)/.test(line));
  assert.deepEqual(
    oneline("100", 4).filter((line) => !/nexthop/.test(line)),
    moved,
  );
  assert.ok(
    oneline("100", 4).includes(
      "10.12.0.0/16 nexthop via 10.1.0.3 dev eth1 weight 3 nexthop via 10.1.0.4 dev eth1 weight 1",
    ),
  );
  assert.ok(oneline("101", 6).includes("fd09::/64 via fd01::1 dev eth1 metric 9 hoplimit 7 pref high"));
  const ways = (table: string, dst: string) =>
    c1
      .ip("-6", "route", "show", dst, "table", table)
      .flatMap((route) => route.nexthops ?? [route])
      .map(({ gateway, weight }) => [gateway, weight ?? 1].join(" "));
  assert.deepEqual(ways("101", "fd0a::/64"), ["fd01::3 3", "fd01::4 1"]);
  assert.deepEqual([ways("101", "fd0b::/64"), ways("main", "fd0b::/64")], [["fd01::3 1"], ["fd02::3 1"]]);
  assert.deepEqual([ways("101", "default"), ways("main", "default")], [["fd01::1 1"], ["fd02::1 1"]]);
  assert.deepEqual(oneline("main", 4), [
    "default via 10.2.0.1 dev eth2",
    "10.2.0.0/24 dev eth2 proto kernel scope link src 10.2.0.2",
    "blackhole 10.66.0.0/16",
    "10.67.0.0/16 nexthop via 10.1.0.3 dev eth1 weight 1 nexthop via 10.2.0.3 dev eth2 weight 1",
  ]);
});

test("several addresses: routes go to the tables that they fit, and to all if to none", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const addresses = [
    { address: "10.1.0.2/24", gateway: "10.1.0.1" },
    { address: "10.1.0.3/24", gateway: "10.1.0.1" },
    { address: "10.5.0.2/24" },
  ];
  const given = [
    { dst: "0.0.0.0/0" },
    { dst: "10.8.0.0/16", gw: "10.5.0.1" },
    { dst: "10.9.0.0/16", gw: "10.1.0.7" },
  ];
  const main = { ...network(1).main, isGateway: false, ipam: { type: "static", addresses, routes: given } };
  const prevResult = w.add(main, c1, { ifName: "eth1" });
  c1.must(..."ip route add 192.0.2.0/24 dev eth1".split(" "));
  c1.must(..."ip -6 route add fd99::/64 dev eth1".split(" "));
  w.add({ ...sbr, name: "net1" }, c1, { ifName: "eth1", prevResult });
  assert.deepEqual(rules(c1), [
    "from 10.5.0.2 lookup 102",
    "from 10.1.0.3 lookup 101",
    "from 10.1.0.2 lookup 100",
  ]);
  const of1 = [
    "default via 10.1.0.1 dev eth1",
    "10.1.0.0/24 dev eth1 proto kernel scope link src 10.1.0.2",
    "10.9.0.0/16 via 10.1.0.7 dev eth1",
    "192.0.2.0/24 dev eth1 scope link",
  ];
  assert.deepEqual([routes(c1, 100), routes(c1, 101)], [of1, of1]);
  assert.deepEqual(routes(c1, 102), [
    "10.5.0.0/24 dev eth1 proto kernel scope link src 10.5.0.2",
    "10.8.0.0/16 via 10.5.0.1 dev eth1",
    "192.0.2.0/24 dev eth1 scope link",
  ]);
  // No address of that family: its routes stay.
  assert.deepEqual(
    [routes(c1, "main"), routes(c1, "main", 6)],
    [[], ["fd99::/64 dev eth1 metric 1024 pref medium"]],
  );
});

test("two sbr in one chain", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = network(1);
  const prevResult = join(w, c1, one);
  const before = routing(c1);
  const settings = { ...one, prevResult };
  w.add({ ...sbr, name: "net1" }, c1, settings);
  assert.deepEqual(routing(c1), before);
  // What came between the two.
  c1.must(..."ip route add 192.0.2.0/24 dev eth1".split(" "));
  w.add({ ...sbr, name: "net1", gateways: ["10.1.0.9"] }, c1, settings);
  assert.deepEqual([routes(c1, 100).length, routes(c1, "main")], [3, []]);
  assert.equal(routes(c1, 100)[0], "default via 10.1.0.9 dev eth1 proto 112");
  w.add({ ...sbr, name: "net1", table: 70_000 }, c1, settings);
  assert.equal(rules(c1)[0], "from 10.1.0.2 lookup 70000");
  w.del({ ...sbr, name: "net1", table: 70_000 }, c1, settings);
  assert.deepEqual(rules(c1), before.rules);
  w.del(sbr, c1, settings);
  w.del(sbr, c1, settings);
  assert.deepEqual(rules(c1), []);
});

test("interfaces of one container at once: each address gets a table of its own", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const networks = Array.from({ length: 9 }, (_, n) => network(n + 1));
  const results = networks.map((each) => w.add(each.main, c1, each));
  const all = (verb: "ADD" | "DEL") =>
    Promise.all(
      networks.map(({ main, ifName }, index) =>
        w.start(verb, { ...sbr, name: main.name }, c1, { ifName, prevResult: results[index] }),
      ),
    );
  for (const { code, output } of await all("ADD")) assert.equal(code, 0, JSON.stringify(output));
  const tables = rules(c1).map((rule) => Number(rule.split(" ").at(-1)));
  assert.deepEqual(
    tables.toSorted((a, b) => a - b),
    Array.from({ length: 18 }, (_, index) => 100 + index),
  );
  for (const [index, { main, ifName }] of networks.entries()) {
    w.check({ ...sbr, name: main.name }, c1, results[index], { ifName });
    const [, table] = /lookup (\d+)/.exec(
      rules(c1).find((rule) => rule.startsWith(`from 10.${index + 1}.0.2 `))!,
    )!;
    assert.equal(routes(c1, table!)[0], `default via 10.${index + 1}.0.1 dev ${ifName}`);
  }
  for (const { code, output } of await all("DEL")) assert.equal(code, 0, JSON.stringify(output));
  assert.deepEqual(rules(c1), []);
});

test("DEL removes the rules, whatever has gone before", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const [one, two] = [network(1), network(2)];
  const remove = () => c1.must("ip", "link", "delete", "eth1");
  const cases: [what: string, before: () => void, settings: (prevResult: Json) => CallSettings][] = [
    ["with prevResult", () => {}, (prevResult) => ({ prevResult })],
    ["without prevResult", () => {}, () => ({})],
    ["the interface has gone", remove, (prevResult) => ({ prevResult })],
    ["the interface has gone, without prevResult", remove, () => ({})],
    ["the interface is down", () => c1.must("ip", "link", "set", "eth1", "down"), () => ({})],
    [
      "the interface has no address",
      () => c1.must("ip", "address", "flush", "dev", "eth1"),
      (prevResult) => ({ prevResult }),
    ],
    ["the tables are empty", () => c1.must("ip", "route", "flush", "table", "102"), () => ({})],
  ];
  join(w, c1, two);
  // Nobody of ours has made these.
  const foreign = ["from 10.1.0.2 lookup 7", "from 10.1.0.0/24 lookup 300", "from 192.0.2.1 lookup 301"];
  for (const rule of foreign) c1.must("ip", "rule", "add", ...rule.split(" "));
  c1.must(..."ip rule add from 10.1.0.2 iif lo lookup 302".split(" "));
  const before = rules(c1).toSorted();
  for (const [what, damage, settings] of cases) {
    const result = join(w, c1, one);
    assert.equal(rules(c1).length, before.length + 2);
    damage();
    for (let times = 0; times < 2; times++)
      w.del({ ...sbr, name: "net1" }, c1, { ...one, ...settings(result) });
    assert.deepEqual(rules(c1).toSorted(), before, what);
    w.del(one.main, c1, one);
    assert.deepEqual(routes(c1, 102), [], what);
  }
  const result = join(w, c1, one);
  w.del(sbr, c1, { ...one, netns: "", prevResult: result });
  c1.vanish();
  w.del(sbr, c1, { ...one, prevResult: result });
});

test("DEL puts the routes back: an interface that stays is as it was, and may have sbr again", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const cases: [network: Network, options: Json][] = [
    [network(1), {}],
    [network(1, { type: "ptp" }), {}],
    [network(1), { addSourceHints: true }],
    // A default route that sbr adds is its own.
    [network(1, { routes: [] }), {}],
    [network(1, { routes: [] }), { gateways: ["10.1.0.9", "fd01::9"], addSourceHints: true }],
  ];
  join(w, c1, network(2));
  for (const [{ main, ifName }, options] of cases) {
    const what = JSON.stringify([main.type, options]);
    const prevResult = w.add(main, c1, { ifName });
    c1.must(..."ip route add 192.0.2.0/24 dev eth1".split(" "));
    const config = { ...sbr, name: "net1", ...options };
    const before = routing(c1);
    for (let times = 0; times < 2; times++) {
      w.add(config, c1, { ifName, prevResult });
      w.check(config, c1, prevResult, { ifName });
      w.del(config, c1, { ifName, prevResult });
      assert.deepEqual(routing(c1), before, what);
      w.check(main, c1, prevResult, { ifName });
    }
    w.del(main, c1, { ifName });
  }
  // A table that somebody else has made stays as it is.
  const { main, ifName } = network(1);
  const prevResult = w.add(main, c1, { ifName });
  for (const line of ["rule add from 10.1.0.2 lookup 300", "route add 192.0.2.0/24 dev eth1 table 300"])
    c1.must("ip", ...line.split(" "));
  w.del({ ...sbr, name: "net1" }, c1, { ifName, prevResult });
  assert.deepEqual(routes(c1, 300), ["192.0.2.0/24 dev eth1 scope link"]);
});

test("the reference removes our rules, and we the reference's", besideReference, async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = network(1);
  const config = { ...sbr, name: "net1", cniVersion: "1.0.0" };
  const paths = [w.bin, reference!];
  for (const [maker, remover] of [paths, paths.toReversed()]) {
    const prevResult = w.add({ ...one.main, cniVersion: "1.0.0" }, c1, one);
    w.add(config, c1, { ...one, path: maker, prevResult });
    w.check(config, c1, prevResult, one);
    assert.equal(rules(c1).length, 2);
    w.del(config, c1, { ...one, path: remover, prevResult });
    assert.deepEqual(rules(c1), []);
    w.del(one.main, c1, one);
  }
});

const damages: [what: string, damage: string, msg: string][] = [
  ["a rule", "rule del from 10.1.0.2", "no rule leads from 10.1.0.2 to a table with routes by eth1"],
  ["an IPv6 rule", "-6 rule del from fd01::2", "no rule leads from fd01::2 to a table with routes by eth1"],
  ["a table", "route flush table 100", "no rule leads from 10.1.0.2 to a table with routes by eth1"],
  ["the default route", "route del default table 100", "the default route is missing in table 100"],
  ["the IPv6 default route", "-6 route del default table 101", "the default route is missing in table 101"],
  [
    "another route",
    "route del 10.9.0.0/16 table 100",
    "route to 10.9.0.0/16 via 10.1.0.7 is missing in /run/netns/c1",
  ],
  ["the interface", "link del eth1", "interface eth1 not found"],
];
test("CHECK finds what is missing", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = network(1, { routes: [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16", gw: "10.1.0.7" }] as Json });
  for (const [what, damage, msg] of damages) {
    const result = join(w, c1, one);
    const settings = { ...one, prevResult: result };
    w.check({ ...sbr, name: "net1" }, c1, result, settings);
    // The interface's plugin finds its routes where they are now.
    w.check(one.main, c1, result, settings);
    c1.must("ip", ...damage.split(" "));
    const error = w.refused("CHECK", { ...sbr, name: "net1" }, c1, settings);
    assert.deepEqual([error.code, error.msg], [100, msg], what);
    w.del({ ...sbr, name: "net1" }, c1, settings);
    w.del(one.main, c1, settings);
  }
  const result = join(w, c1, one, { table: 500 });
  c1.must(..."ip rule del from 10.1.0.2".split(" "));
  const { msg } = w.refused("CHECK", { ...sbr, name: "net1", table: 500 }, c1, {
    ...one,
    prevResult: result,
  });
  assert.equal(msg, "no rule leads from 10.1.0.2 to table 500");
});

test("GC removes rules that have lost their meaning, in all containers", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  for (const c of [c1, c2]) for (const n of [1, 2]) join(w, c, network(n));
  c1.must(..."ip rule add from 192.0.2.1 lookup 300".split(" "));
  const before = rules(c2);
  w.gc(sbr, []);
  assert.deepEqual([rules(c1).length, rules(c2)], [5, before]);
  c1.must("ip", "link", "delete", "eth1");
  w.gc(sbr, ["c1/eth2", "c2/eth1", "c2/eth2"]);
  assert.deepEqual(rules(c1), [
    "from 192.0.2.1 lookup 300",
    "from 10.2.0.2 lookup 102",
    "from fd02::2 lookup 103",
  ]);
  assert.deepEqual(rules(c2), before);
});

test("bad input is refused, and nothing is left", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = network(1);
  const prevResult = w.add(one.main, c1, one);
  const before = routing(c1);
  const rows: [config: Json, prevResult: Json, code: number, msg: string | RegExp][] = [
    [{}, undefined, 7, "This plugin must be called as chained plugin"],
    [{}, { ...prevResult, ips: [] }, 7, "No IP addresses supplied on interface: eth1"],
    [
      { table: 0 },
      prevResult,
      7,
      "invalid configuration: table: expected a whole number from 1 up to 4294967295, got 0",
    ],
    [{ table: "7" }, prevResult, 7, /^invalid configuration: table: expected a whole number/],
    [
      { gateways: ["none"] },
      prevResult,
      7,
      /^invalid configuration: gateways\[0\]: expected an IP address .*, got "none"$/,
    ],
    [{ gateways: ["10.1.0.1", "::"] }, prevResult, 7, "gateways: :: is no gateway"],
    [
      { gateways: ["10.1.0.1", "10.1.0.2"] },
      prevResult,
      7,
      "gateways list contains multiple IPv4 addresses: 10.1.0.1 and 10.1.0.2",
    ],
    [
      { gateways: ["fd01::1", "10.1.0.1", "fd01::2"] },
      prevResult,
      7,
      "gateways list contains multiple IPv6 addresses: fd01::1 and fd01::2",
    ],
    [
      { addSourceHints: 1 },
      prevResult,
      7,
      /^invalid configuration: addSourceHints: expected true or false, got 1$/,
    ],
    [
      { gateways: ["192.0.2.1"] },
      prevResult,
      100,
      /^cannot add route 0\.0\.0\.0\/0 via 192\.0\.2\.1 dev eth1 in table 100: /,
    ],
  ];
  for (const [config, given, code, msg] of rows) {
    const error = w.refused("ADD", { ...sbr, name: "net1", ...config }, c1, { ...one, prevResult: given });
    assert.equal(error.code, code, JSON.stringify(config));
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    assert.deepEqual(routing(c1), before, JSON.stringify(config));
  }
  const error = w.refused("ADD", { ...sbr, name: "net1" }, c1, { ifName: "eth7", prevResult });
  assert.deepEqual([error.code, error.msg], [100, "Cannot find network interface eth7"]);
  w.status(sbr);
  assert.equal(w.refused("STATUS", { ...sbr, gateways: ["10.1.0.1", "10.1.0.2"] }).code, 7);
});

for (const injection of INJECTIONS.slice(0, 2))
  test(`ADD, where each ${injection[0]} fails once, leaves nothing`, async (t) => {
    const world = await World.start(t);
    const container = world.container();
    const one = network(1);
    const prevResult = world.add(one.main, container, one);
    const config = { ...sbr, name: "net1", addSourceHints: true };
    const state = () => routing(container);
    const settings = { ifName: "eth1", prevResult };
    assert.ok(addLeavesNothing({ world, container, config, settings, state }, injection) >= 5);
  });

test("what an ADD leaves that is killed, DEL removes", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = network(1);
  const prevResult = w.add(one.main, c1, one);
  const before = routing(c1);
  const config = { ...sbr, name: "net1", addSourceHints: true };
  let kills = 0;
  for (; ; kills++) {
    const inject = `inject=sendto:signal=SIGKILL:when=${kills + 1}`;
    const wrap = ["strace", "-qq", "-o", "/dev/null", "-e", inject];
    if (w.call("ADD", config, c1, { ...one, prevResult, wrap }).code === 0) break;
    w.del(config, c1, kills % 2 ? one : { ...one, prevResult });
    assert.deepEqual(routing(c1), before, inject);
  }
  assert.ok(kills >= 5);
});

test("ADD once more: where it fails, the tables are as they were", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const one = network(1);
  const prevResult = join(w, c1, one);
  c1.must(..."ip route add 192.0.2.0/24 dev eth1".split(" "));
  const before = routing(c1);
  const config = { ...sbr, name: "net1", gateways: ["10.1.0.9", "fd01::9"] };
  let failed = 0;
  for (let nth = 1; ; nth++) {
    const wrap = ["strace", "-qq", "-o", "/dev/null", "-e", `inject=sendto:error=EPERM:when=${nth}`];
    const { code, output } = w.call("ADD", config, c1, { ...one, prevResult, wrap });
    if (code === 0) break;
    failed++;
    assert.doesNotMatch(output.details ?? "", /undone/);
    assert.deepEqual(routing(c1), before, `sendto ${nth}: ${output.msg}`);
  }
  assert.ok(failed >= 5);
  assert.equal(routes(c1, 100)[0], "default via 10.1.0.9 dev eth1 proto 112");
});

test("DEL tells of each request that fails, and the next DEL removes the rest", async (t) => {
  const world = await World.start(t);
  const container = world.container();
  const one = network(1);
  const prevResult = world.add(one.main, container, one);
  const config = { ...sbr, name: "net1" };
  const state = () => routing(container);
  const settings = { ifName: "eth1", prevResult };
  assert.ok(delTells({ world, container, config, settings, state }, "sendto") >= 5);
});

for (const cniVersion of VERSIONS)
  test(`version ${cniVersion}`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const { main, ifName } = network(1);
    const version = { cniVersion, name: "net1" };
    const prevResult = w.add({ ...main, ...version }, c1, { ifName });
    const config = { ...sbr, ...version };
    assert.deepEqual(w.add(config, c1, { ifName, prevResult }), prevResult);
    assert.deepEqual(rules(c1), ["from 10.1.0.2 lookup 100", "from fd01::2 lookup 101"]);
    if (!/^0\.[123]\./.test(cniVersion)) w.check(config, c1, prevResult, { ifName });
    w.del(config, c1, { ifName });
    assert.deepEqual(rules(c1), []);
  });
