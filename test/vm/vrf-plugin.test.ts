import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { testExample } from "../e2e/example.ts";
import { addLeavesNothing, delTells } from "../e2e/injection.ts";
import { type Container, type Json, World } from "../e2e/world.ts";

/** The plugin vrf, which needs a kernel with VRFs: run by test/vm-run where ours has none. */

interface Options {
  readonly type?: string;
  /** The number of the host in its networks. */
  readonly host?: number;
  /** The networks' number in their addresses; that of the bridge unless told. */
  readonly as?: number;
  readonly gateways?: boolean;
  readonly routes?: Json;
}

/** An interface `ethN` on the bridge `brN`, in 10.N.0.0/24 and fd0N::/64; gives what vrf is called with. */
function plug(w: World, c: Container, n: number, options: Options = {}) {
  const { type = "bridge", host = 2, as = n, gateways = true, routes } = options;
  const addresses = [
    { address: `10.${as}.0.${host}/24`, ...(gateways && { gateway: `10.${as}.0.1` }) },
    { address: `fd0${as}::${host}/64`, ...(gateways && { gateway: `fd0${as}::1` }) },
  ];
  const main = {
    type,
    name: `net${n}`,
    bridge: `br${n}`,
    ipam: {
      type: "static",
      addresses,
      routes: routes ?? (gateways ? [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] : []),
    },
  };
  const ifName = `eth${n}`;
  const prevResult = w.add(main, c, { ifName });
  return { main, name: main.name, settings: { ifName, prevResult } };
}

const vrf = (vrfname: string, more: object = {}) => ({ type: "vrf", vrfname, ...more });

/** `NAME TABLE` of the VRFs, and who is in one. */
function vrfs(c: Container): Json {
  const links = c.ip("link", "show");
  const made = links.filter(({ linkinfo }) => linkinfo?.info_kind === "vrf");
  return [
    made.map(({ ifname, linkinfo }) => `${ifname} ${linkinfo.info_data.table}`).sort(),
    links
      .filter(({ master }) => master)
      .map(({ ifname, master }) => `${ifname} in ${master}`)
      .sort(),
  ];
}

/** The routes of a table but those of the kernel to its own addresses and to link-local ones. */
function routes(c: Container, table: string | number, family: 4 | 6 = 4): string[] {
  const text = c.must("ip", "-oneline", `-${family}`, "route", "show", "table", `${table}`);
  return text
    .split("\n")
    .map((line) => line.replaceAll("\\", "").replaceAll(/\s+/g, " ").trim())
    .filter((line) => line !== "" && !/^(local|broadcast|anycast|multicast ff00|fe80)/.test(line));
}

test("networks of one VRF are joined by their container, those of two are not", async (t) => {
  const w = await World.start(t);
  const c1 = w.container("c1");
  const [first, second] = [1, 2].map((n) => plug(w, c1, n, { gateways: false }));
  for (const key of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
    c1.must("sysctl", "-qw", `${key}=1`);
  const far = [1, 2].map((n) => {
    const c = w.container(`far${n}`);
    const out = [
      { dst: "0.0.0.0/0", gw: `10.${n}.0.2` },
      { dst: "::/0", gw: `fd0${n}::2` },
    ];
    plug(w, c, n, { host: 9, gateways: false, routes: out });
    return c;
  });
  const reaches = (seconds: number) =>
    ["10.2.0.9", "fd02::9"].map((address) => far[0]!.pings(address, seconds));
  assert.deepEqual(w.add(vrf("blue"), c1, first!.settings), first!.settings.prevResult);
  w.add(vrf("blue"), c1, second!.settings);
  assert.deepEqual(vrfs(c1), [["blue 1"], ["eth1 in blue", "eth2 in blue"]]);
  assert.deepEqual(c1.addresses("eth1"), ["10.1.0.2/24", "fd01::2/64"]);
  assert.deepEqual(reaches(20), [true, true]);
  for (const { settings } of [first!, second!]) w.check(vrf("blue"), c1, settings.prevResult, settings);

  w.del(vrf("blue"), c1, second!.settings);
  w.del(second!.main, c1, second!.settings);
  const again = plug(w, c1, 2, { gateways: false });
  w.add(vrf("red"), c1, again.settings);
  assert.deepEqual(vrfs(c1), [
    ["blue 1", "red 2"],
    ["eth1 in blue", "eth2 in red"],
  ]);
  assert.equal(far[1]!.pings("10.2.0.2", 20), true);
  assert.deepEqual(reaches(3), [false, false]);
});

test("two VRFs of a container may have the same addresses", async (t) => {
  const w = await World.start(t);
  const c1 = w.container("c1");
  for (const [n, name] of [
    [1, "blue"],
    [2, "red"],
  ] as const) {
    const { settings } = plug(w, c1, n, { as: 7 });
    w.add(vrf(name), c1, settings);
    plug(w, w.container(`far${n}`), n, { as: 7, host: 9 });
    w.check(vrf(name), c1, settings.prevResult, settings);
  }
  for (const ifName of ["eth1", "eth2"])
    assert.deepEqual(c1.addresses(ifName), ["10.7.0.2/24", "fd07::2/64"]);
  const reaches = (name: string, seconds: number) =>
    ["10.7.0.9", "fd07::9"].map(
      (to) => c1.exec("ping", "-c", "1", "-W", `${seconds}`, "-I", name, to).code === 0,
    );
  assert.deepEqual(
    [reaches("blue", 20), reaches("red", 20)],
    [
      [true, true],
      [true, true],
    ],
  );
  w.must("ip", "-n", "far2", "link", "set", "eth2", "down");
  assert.deepEqual(
    [reaches("blue", 20), reaches("red", 3)],
    [
      [true, true],
      [false, false],
    ],
  );
});

test("IPv6 addresses and routes of every kind come along, and nobody else's go", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const other = plug(w, c1, 2);
  w.add(vrf("blue", { table: 1001 }), c1, other.settings);
  const { settings } = plug(w, c1, 1);
  // Then the kernel drops the addresses.
  c1.must("sysctl", "-qw", "net.ipv6.conf.eth1.keep_addr_on_down=0");
  c1.must(..."ip address add fd12::2/64 dev eth1 nodad valid_lft 5000 preferred_lft 4000".split(" "));
  c1.must(..."ip address add fd11::2/64 dev eth1 noprefixroute nodad".split(" "));
  const given = {
    4: [
      "10.9.0.0/16 via 10.1.0.1 metric 5 mtu 1400 window 100 proto 77 src 10.1.0.2",
      "10.10.0.0/16 via 10.77.0.1 dev eth1 onlink",
      "10.12.0.0/16 nexthop via 10.1.0.3 dev eth1 weight 3 nexthop via 10.1.0.4 dev eth1 weight 1",
      "192.0.2.1 dev eth1 scope link",
      "198.51.100.0/24 via 192.0.2.1 dev eth1",
      "203.0.113.0/24 via 10.1.0.1 dev eth1 table 500",
    ],
    6: ["fd09::/64 via fd01::1 dev eth1 src fd11::2 metric 9 mtu 1300", "fd0e::/64 dev eth1 metric 7"],
  } as const;
  for (const family of [4, 6] as const)
    for (const line of given[family]) c1.must("ip", `-${family}`, "route", "add", ...line.split(" "));
  const before = [routes(c1, "main"), routes(c1, "main", 6), routes(c1, 500)];
  const others = routes(c1, 1001);

  w.add(vrf("blue"), c1, settings);
  assert.deepEqual(c1.addresses("eth1").sort(), ["10.1.0.2/24", "fd01::2/64", "fd11::2/64", "fd12::2/64"]);
  const shown = c1.link("eth1").addr_info;
  const lifetime = shown.find(({ local }: Json) => local === "fd12::2").valid_life_time;
  assert.ok(lifetime > 4000 && lifetime <= 5000, `${lifetime}`);
  assert.ok(shown.find(({ local }: Json) => local === "fd11::2").noprefixroute);
  assert.deepEqual([routes(c1, "main"), routes(c1, "main", 6), routes(c1, 500)], [[], [], before[2]]);
  const inVrf = routes(c1, 1001);
  // The first one's default route comes first still.
  assert.equal(inVrf[0], "default via 10.2.0.1 dev eth2");
  assert.deepEqual(inVrf.toSorted(), [...others, ...before[0]!].toSorted());
  const sixes = routes(c1, 1001, 6);
  for (const line of before[1]!.filter((each) => !/^default|expires/.test(each)))
    assert.ok(sixes.includes(line), `${line} in ${sixes}`);
  assert.ok(
    sixes.some((line) => /^default.*via fd01::1 dev eth1/.test(line)),
    `${sixes}`,
  );
  w.check(vrf("blue", { table: 1001 }), c1, settings.prevResult, settings);
  w.check(other.main, c1, other.settings.prevResult, other.settings);
});

test("ptp, sbr before and behind vrf, macvlan", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const ptp = plug(w, c1, 1, { type: "ptp" });
  w.add(vrf("blue"), c1, ptp.settings);
  assert.deepEqual(routes(c1, 1), [
    "default via 10.1.0.1 dev eth1",
    "10.1.0.0/24 via 10.1.0.1 dev eth1 src 10.1.0.2",
    "10.1.0.1 dev eth1 scope link src 10.1.0.2",
  ]);
  w.check(ptp.main, c1, ptp.settings.prevResult, ptp.settings);
  const pings = (name: string, to: string) =>
    c1.exec("ping", "-c", "1", "-W", "20", "-I", name, to).code === 0;
  assert.deepEqual([pings("blue", "10.1.0.1"), pings("blue", "fd01::1")], [true, true]);

  // sbr gives tables, which vrf leaves where they are.
  const before = plug(w, c1, 2);
  const sbr = { type: "sbr", name: "net2" };
  w.add(sbr, c1, before.settings);
  const tables = [routes(c1, 100), routes(c1, 101, 6)];
  w.add(vrf("red"), c1, before.settings);
  const withoutSource = tables[0]!.map((line) => line.replace(" src 10.2.0.2", ""));
  assert.deepEqual([routes(c1, 100), routes(c1, 101, 6)], [withoutSource, tables[1]]);
  w.check(sbr, c1, before.settings.prevResult, before.settings);
  w.check(vrf("red"), c1, before.settings.prevResult, before.settings);

  // And the other way round: it takes them from the VRF's.
  w.add(
    {
      type: "bridge",
      name: "net3",
      bridge: "br3",
      isGateway: true,
      ipam: { type: "static", addresses: [{ address: "10.3.0.7/24", gateway: "10.3.0.1" }] },
    },
    w.container("c3"),
  );
  const behind = plug(w, c1, 3);
  w.add(vrf("green"), c1, behind.settings);
  const [green] = vrfs(c1)[0].flatMap((line: string) => /^green (\d+)$/.exec(line)?.[1] ?? []);
  const inGreen = [routes(c1, green), routes(c1, green, 6)];
  w.add({ ...sbr, name: "net3" }, c1, behind.settings);
  const [, table] = /from 10.3.0.2 lookup (\d+)/.exec(c1.must("ip", "rule"))!;
  assert.deepEqual(routes(c1, table!), [
    "default via 10.3.0.1 dev eth3",
    "10.3.0.0/24 dev eth3 proto kernel scope link",
  ]);
  assert.equal(w.exec(["ping", "-c", "1", "-W", "20", "10.3.0.2"]).code, 0);
  w.check({ ...sbr, name: "net3" }, c1, behind.settings.prevResult, behind.settings);
  w.del({ ...sbr, name: "net3" }, c1, behind.settings);
  const back = [routes(c1, green), routes(c1, green, 6)];
  assert.deepEqual(back, [inGreen[0]!.map((line) => line.replace(" src 10.3.0.2", "")), inGreen[1]]);
  w.check(vrf("green"), c1, behind.settings.prevResult, behind.settings);

  const ipam = { type: "static", addresses: [{ address: "10.3.0.5/24" }, { address: "fd03::5/64" }] };
  const macvlan = { type: "macvlan", name: "net4", master: "br3", ipam };
  const c4 = w.container("c4");
  const prevResult = w.add(macvlan, c4);
  w.add(vrf("blue"), c4, { prevResult });
  assert.deepEqual(
    [c4.addresses(), vrfs(c4)],
    [
      ["10.3.0.5/24", "fd03::5/64"],
      [["blue 1"], ["eth0 in blue"]],
    ],
  );
  assert.equal(c4.exec("ping", "-c", "1", "-W", "20", "-I", "blue", "10.3.0.7").code, 0);
  w.check(vrf("blue"), c4, prevResult);
  w.del(vrf("blue"), c4, { prevResult });
  w.del(macvlan, c4, { prevResult });
});

test("a VRF goes with its last interface, whatever has gone before; its table is free then", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const [one, two] = [1, 2].map((n) => plug(w, c1, n));
  for (const { settings } of [one!, two!]) w.add(vrf("blue"), c1, settings);
  w.del(vrf("blue"), c1, one!.settings);
  w.del(vrf("blue"), c1, one!.settings);
  assert.deepEqual(vrfs(c1), [["blue 1"], ["eth2 in blue"]]);
  c1.must("ip", "link", "delete", "eth2");
  w.del(vrf("blue"), c1, { ifName: "eth2" });
  w.del(vrf("blue"), c1, { ifName: "eth2" });
  assert.deepEqual(vrfs(c1), [[], []]);
  w.del(one!.main, c1, one!.settings);

  const again = plug(w, c1, 1);
  w.add(vrf("red"), c1, again.settings);
  assert.deepEqual(vrfs(c1), [["red 1"], ["eth1 in red"]]);
  w.del(vrf("red"), c1, { ...again.settings, netns: "" });
  w.del(vrf("lo"), c1, again.settings);
  // What entered by hand keeps it.
  c1.must(..."ip link add port type veth peer name other".split(" "));
  c1.must(..."ip link set port master red".split(" "));
  w.del(vrf("red"), c1, again.settings);
  assert.deepEqual(vrfs(c1), [["red 1"], ["port in red"]]);
  c1.vanish();
  w.del(vrf("red"), c1, again.settings);
});

test("tables: the first free one; conflicts are refused, and nothing is left", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const [one, two, three] = [1, 2, 3].map((n) => plug(w, c1, n));
  c1.must(..."ip rule add from 192.0.2.1 lookup 2".split(" "));
  c1.must(..."ip route add 192.0.2.0/24 dev eth1 table 3".split(" "));
  w.add(vrf("blue", { table: 1 }), c1, one!.settings);
  const state = () => [vrfs(c1), c1.addresses("eth2"), c1.routes(), c1.routes(6)];
  const before = state();
  const rows: [config: Json, settings: Json, code: number, msg: string][] = [
    [vrf("blue", { table: 1001 }), two!.settings, 7, "VRF blue already exist with different routing table 1"],
    [vrf("eth3"), two!.settings, 7, '"eth3" already exists but is not a VRF'],
    [vrf("red"), one!.settings, 100, "interface eth1 has already a master set: blue"],
    [vrf("red"), { ...two!.settings, ifName: "eth7" }, 100, "could not get link by name eth7"],
    [vrf("red"), { ifName: "eth2" }, 7, "missing prevResult from earlier plugin"],
  ];
  for (const [config, settings, code, msg] of rows) {
    const error = w.refused("ADD", config, c1, settings);
    assert.deepEqual([error.code, error.msg], [code, msg]);
    assert.deepEqual(state(), before, msg);
  }
  w.add(vrf("red", { table: 1 }), c1, two!.settings);
  w.add(vrf("green"), c1, three!.settings);
  assert.deepEqual(vrfs(c1)[0], ["blue 1", "green 4", "red 1"]);
  w.status(vrf("blue"));
  assert.deepEqual(w.ip("link", "show", "type", "vrf"), []);
});

test("interfaces of one container at once", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const plugged = [1, 2, 3, 4].map((n) => plug(w, c1, n));
  const names = ["blue", "blue", "red", "green"];
  const all = (verb: "ADD" | "DEL") =>
    Promise.all(plugged.map(({ settings }, index) => w.start(verb, vrf(names[index]!), c1, settings)));
  for (const { code, output } of await all("ADD")) assert.equal(code, 0, JSON.stringify(output));
  const [made, ports] = vrfs(c1);
  assert.deepEqual(ports, ["eth1 in blue", "eth2 in blue", "eth3 in red", "eth4 in green"]);
  assert.deepEqual(made.map((each: string) => each.split(" ")[1]).sort(), ["1", "2", "3"]);
  for (const { code, output } of await all("DEL")) assert.equal(code, 0, JSON.stringify(output));
  assert.deepEqual(vrfs(c1), [[], []]);
});

test("CHECK finds what is missing", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const damages: [damage: string, config: Json, msg: string][] = [
    ["link set eth1 nomaster", vrf("blue"), "failed to find eth1 associated to vrf blue"],
    ["link set blue down", vrf("blue"), "interface blue is down"],
    ["link del blue", vrf("blue"), "VRF blue is missing in /run/netns/c1"],
    ["link set lo up", vrf("blue", { table: 9 }), "VRF blue has table 1, not 9"],
    ["address del 10.1.0.2/24 dev eth1", vrf("blue"), "address 10.1.0.2/24 is missing on eth1"],
    ["route del default table 1", vrf("blue"), "route to 0.0.0.0/0 is missing in /run/netns/c1"],
    ["link del eth1", vrf("blue"), "interface eth1 not found"],
  ];
  for (const [damage, config, msg] of damages) {
    const { main, settings } = plug(w, c1, 1);
    w.add(vrf("blue"), c1, settings);
    c1.must("ip", ...damage.split(" "));
    const error = w.refused("CHECK", config, c1, settings);
    assert.deepEqual([error.code, error.msg], [100, msg]);
    w.del(vrf("blue"), c1, settings);
    w.del(main, c1, settings);
  }
});

test("GC removes VRFs of ours without interfaces, in all containers", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  for (const c of [c1, c2]) w.add(vrf("blue"), c, plug(w, c, 1, { host: c === c1 ? 2 : 3 }).settings);
  c1.must(..."ip link add mine type vrf table 77".split(" "));
  w.gc(vrf("blue"), []);
  assert.deepEqual([vrfs(c1)[0], vrfs(c2)[0]], [["blue 1", "mine 77"], ["blue 1"]]);
  c1.must("ip", "link", "delete", "eth1");
  w.gc(vrf("red"), ["c2/eth1"]);
  assert.deepEqual(vrfs(c1)[0], ["blue 1", "mine 77"]);
  w.gc(vrf("mine"), ["c2/eth1"]);
  w.gc(vrf("blue"), ["c2/eth1"]);
  assert.deepEqual([vrfs(c1)[0], vrfs(c2)[0]], [["mine 77"], ["blue 1"]]);
});

test("ADD, where each sendto fails once, leaves nothing", async (t) => {
  const world = await World.start(t);
  const container = world.container();
  const { settings } = plug(world, container, 1);
  container.must("sysctl", "-qw", "net.ipv6.conf.eth1.keep_addr_on_down=0");
  // DEL leaves addresses and routes to the interface.
  const tidy = () => {
    for (const line of [
      "-6 address flush dev eth1 scope global",
      "-6 address add fd01::2/64 dev eth1 nodad",
      "-4 route flush dev eth1 proto boot",
      "-6 route flush dev eth1 proto boot",
      "-4 route add default via 10.1.0.1",
      "-6 route add default via fd01::1",
    ])
      container.must("ip", ...line.split(" "));
  };
  const state = () => [
    vrfs(container),
    container.addresses("eth1"),
    routes(container, "main"),
    routes(container, "main", 6),
    routes(container, 1),
  ];
  const subject = { world, container, config: vrf("blue"), settings, state, tidy };
  assert.ok(addLeavesNothing(subject, ["sendto", "EPERM"]) >= 8);
});

test("DEL tells of each request that fails, and the next DEL does the rest", async (t) => {
  const world = await World.start(t);
  const container = world.container();
  const [one, two] = [1, 2].map((n) => plug(world, container, n));
  const subject = { world, container, config: vrf("blue"), state: () => vrfs(container) };
  assert.ok(delTells({ ...subject, settings: one!.settings }, "sendto") >= 2);
  // The VRF stays for another interface.
  world.add(vrf("blue"), container, two!.settings);
  assert.ok(delTells({ ...subject, settings: one!.settings }, "sendto") >= 2);
});

test("what an ADD leaves that is killed, DEL removes, or GC", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  for (let nth = 1, killed = true; killed; nth++) {
    const { main, settings } = plug(w, c1, 1);
    const wrap = ["strace", "-qq", "-o", "/dev/null", "-e", `inject=sendto:signal=SIGKILL:when=${nth}`];
    killed = w.call("ADD", vrf("blue"), c1, { ...settings, wrap }).code !== 0;
    if (nth % 2 === 0) w.del(vrf("blue"), c1, settings);
    w.del(main, c1, settings);
    w.gc(vrf("blue"), []);
    assert.deepEqual(vrfs(c1), [[], []], `killed at sendto ${nth}`);
  }
});

test("all versions", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const { main, settings } = plug(w, c1, 1);
  w.del(main, c1, settings);
  for (const cniVersion of VERSIONS) {
    const prevResult = w.add({ ...main, cniVersion }, c1, settings);
    const config = vrf("blue", { cniVersion });
    assert.deepEqual(w.add(config, c1, { ...settings, prevResult }), prevResult);
    assert.deepEqual(vrfs(c1), [["blue 1"], ["eth1 in blue"]], cniVersion);
    if (!/^0\.[123]\./.test(cniVersion)) w.check(config, c1, prevResult, settings);
    w.del(config, c1, { ...settings, prevResult });
    w.del({ ...main, cniVersion }, c1, { ...settings, prevResult });
    assert.deepEqual(vrfs(c1), [[], []], cniVersion);
  }
});

testExample("vrf", /^blue1\s+1\nblue2\s+2\n.*10\.77\.2\.0\/24 dev eth1 .*1 received/ms);
