import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { addLeavesNothing, delClearsKilled, delTells, INJECTIONS } from "./injection.ts";
import { type Container, type Json, World } from "./world.ts";

// The plugin macvlan: its options, what comes of them in the kernel, and how DEL, CHECK, STATUS and GC go.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const config = { type: "macvlan", master: "m0", ipam };
const layer2 = { type: "macvlan", master: "m0" };
const fixed = (address: string) => ({ type: "static", addresses: [{ address }] });

/** A world with a master, m0, that is up: a veth, whose other end is there to have a carrier. */
async function world(t: Parameters<typeof World.start>[0]): Promise<World> {
  const w = await World.start(t);
  w.must("ip", "link", "add", "m0", "type", "veth", "peer", "name", "m1");
  for (const end of ["m0", "m1"]) w.must("ip", "link", "set", end, "up");
  return w;
}

const kindOf = (container: Container, ifName?: string): Json => container.link(ifName)?.linkinfo;

for (const version of VERSIONS)
  test(`macvlan in version ${version}: two containers on one master reach each other`, async (t) => {
    const w = await world(t);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    // Before 0.3.0 a result has one address of a family.
    const versioned = { ...config, cniVersion: version };
    const result = w.add(versioned, c1);
    w.add(versioned, c2);
    assert.deepEqual(kindOf(c1).info_kind, "macvlan");
    assert.deepEqual(c1.addresses(), ["10.1.0.2/24", "fd01::2/64"]);
    assert.deepEqual(c1.routes(), ["default via 10.1.0.1 dev eth0", "10.1.0.0/24 dev eth0"]);
    assert.deepEqual(c1.routes(6), ["fd01::/64 dev eth0", "default via fd01::1 dev eth0"]);
    for (const address of ["10.1.0.3", "fd01::3"]) assert.equal(c1.pings(address), true, address);
    if (VERSIONS.indexOf(version) >= VERSIONS.indexOf("0.4.0")) w.check(versioned, c1, result);
    for (const container of [c1, c2]) w.del(versioned, container);
    assert.deepEqual([c1.link(), c2.link(), w.reserved()], [undefined, undefined, {}]);
  });

test("the result is one interface, with its real MAC", async (t) => {
  const w = await world(t);
  const c1 = w.container();
  const { interfaces, ips, routes } = w.add(config, c1);
  assert.deepEqual(interfaces, [{ name: "eth0", mac: c1.link().address, sandbox: c1.netns }]);
  assert.deepEqual(ips, [
    { interface: 0, address: "10.1.0.2/24", gateway: "10.1.0.1" },
    { interface: 0, address: "fd01::2/64", gateway: "fd01::1" },
  ]);
  assert.deepEqual(routes, ipam.routes);
  assert.equal(c1.link().ifalias, "cni:net/c1/eth0");
});

test("the neighbours are told: the settings are on before the link is up", async (t) => {
  const w = await world(t);
  const c1 = w.container();
  w.add(config, c1);
  for (const setting of ["ipv4/conf/eth0/arp_notify", "ipv6/conf/eth0/ndisc_notify"])
    assert.equal(c1.must("cat", `/proc/sys/net/${setting}`).trim(), "1", setting);
});

for (const given of [{}, { ipam: {} }])
  test(`without ipam (${JSON.stringify(given)}): an interface that is up, without address`, async (t) => {
    const w = await world(t);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    const result = w.add({ ...layer2, ...given, dns: { domain: "d" } }, c1);
    assert.deepEqual(
      [Object.keys(result), result.dns],
      [["cniVersion", "interfaces", "dns"], { domain: "d" }],
    );
    assert.deepEqual([c1.link().flags.includes("UP"), c1.addresses()], [true, []]);
    w.check({ ...layer2, ...given }, c1, result);
    w.add(layer2, c2);
    c1.must("ip", "address", "add", "10.7.0.1/24", "dev", "eth0");
    c2.must("ip", "address", "add", "10.7.0.2/24", "dev", "eth0");
    assert.equal(c1.pings("10.7.0.2"), true);
    w.del({ ...layer2, ...given }, c1, { prevResult: result });
    assert.equal(c1.link(), undefined);
  });

for (const [what, given, kernels, reach] of [
  ["no mode", {}, "bridge", true],
  ["an empty mode", { mode: "" }, "bridge", true],
  ["mode bridge", { mode: "bridge" }, "bridge", true],
  ["mode private", { mode: "private" }, "private", false],
  ["mode vepa", { mode: "vepa" }, "vepa", false],
] as const)
  test(`${what} is the kernel's ${kernels}`, async (t) => {
    const w = await world(t);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    const moded = { ...config, ...given };
    const result = w.add(moded, c1);
    w.add(moded, c2);
    assert.equal(kindOf(c1).info_data.mode, kernels);
    w.check(moded, c1, result);
    assert.equal(c1.pings("10.1.0.3", reach ? 5 : 1), reach);
  });

test("mode passthru: the master is the container's alone", async (t) => {
  const w = await world(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const passthru = { ...config, mode: "passthru" };
  const result = w.add(passthru, c1);
  assert.equal(kindOf(c1).info_data.mode, "passthru");
  assert.equal(result.interfaces[0].mac, w.link("m0").address);
  w.check(passthru, c1, result);
  const { code, msg } = w.refused("ADD", passthru, c2);
  assert.deepEqual([code, /^cannot create macvlan eth0 on m0: /.test(msg)], [100, true], msg);
  assert.deepEqual([c2.link(), w.reserved()], [undefined, { "10.1.0.2": "c1 eth0", "fd01::2": "c1 eth0" }]);
});

for (const [mtu, masters, expected] of [
  [undefined, 1500, 1500],
  [0, 1400, 1400],
  [1400, 1500, 1400],
  [1500, 1500, 1500],
  [1600, 1500, "invalid MTU 1600, must be [0, master MTU(1500)]"],
  [1500, 1400, "invalid MTU 1500, must be [0, master MTU(1400)]"],
  [-1, 1500, "invalid MTU -1, must be [0, master MTU(1500)]"],
] as const)
  test(`mtu ${mtu ?? "not given"} on a master of ${masters}: ${expected}`, async (t) => {
    const w = await world(t);
    const c1 = w.container();
    w.must("ip", "link", "set", "m0", "mtu", String(masters));
    const sized = { ...config, ...(mtu !== undefined && { mtu }) };
    if (typeof expected === "number") {
      w.add(sized, c1);
      assert.equal(c1.link().mtu, expected);
      w.status(sized);
      return;
    }
    for (const verb of ["ADD", "STATUS"] as const) {
      const { code, msg } = w.refused(verb, sized, c1);
      assert.deepEqual([code, msg], [7, expected]);
    }
    assert.deepEqual([c1.link(), w.reserved()], [undefined, {}]);
  });

for (const [what, given, args, expected] of [
  ["mac", { mac: "02:00:5e:00:53:01" }, undefined, "02:00:5e:00:53:01"],
  ["CNI_ARGS over mac", { mac: "02:00:5e:00:53:01" }, "MAC=02:00:5e:00:53:02", "02:00:5e:00:53:02"],
  [
    "args.cni over CNI_ARGS",
    { mac: "02:00:5e:00:53:01", args: { cni: { mac: "02:00:5e:00:53:03" } } },
    "IgnoreUnknown=1;K8S_POD_NAME=p;MAC=02:00:5e:00:53:02",
    "02:00:5e:00:53:03",
  ],
  [
    "runtimeConfig over all",
    { runtimeConfig: { mac: "02:00:5E:00:53:04" }, args: { cni: { mac: "02:00:5e:00:53:03" } } },
    "MAC=02:00:5e:00:53:02",
    "02:00:5e:00:53:04",
  ],
] as const)
  test(`MAC: ${what}`, async (t) => {
    const w = await world(t);
    const c1 = w.container();
    const result = w.add({ ...layer2, ...given }, c1, { args });
    assert.deepEqual([result.interfaces[0].mac, c1.link().address], [expected, expected]);
    w.check({ ...layer2, ...given }, c1, result, { args });
  });

test("bcqueuelen: how many broadcast frames the master holds back", async (t) => {
  const w = await world(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  w.add({ ...layer2, bcqueuelen: 2345 }, c1);
  w.add(layer2, c2);
  assert.deepEqual(
    [c1, c2].map((container) => kindOf(container).info_data.bcqueuelen),
    [2345, 1000],
  );
});

for (const [what, routes, expected] of [
  ["the IPv4 default route", ["-4 route add default via 10.9.0.1 dev m0"], "m0"],
  [
    "that of the lowest metric",
    [
      "-4 route add default via 10.9.0.1 dev m0 metric 20",
      "-4 route add default via 10.8.0.1 dev n0 metric 10",
    ],
    "n0",
  ],
  [
    "IPv4 before IPv6",
    ["-6 route add default via fd09::1 dev n0 metric 1", "-4 route add default via 10.9.0.1 dev m0"],
    "m0",
  ],
  ["IPv6 alone", ["-6 route add default via fd09::1 dev n0"], "n0"],
  ["several ways", ["-4 route add default nexthop via 10.8.0.1 nexthop via 10.9.0.1"], "n0"],
  ["one that leads nowhere", ["-4 route add unreachable default"], undefined],
  ["none", [], undefined],
] as const)
  test(`without master: the link of the default route: ${what}`, async (t) => {
    const w = await world(t);
    const c1 = w.container();
    w.must("ip", "link", "add", "n0", "up", "type", "bridge");
    for (const [address, link] of [
      ["10.9.0.2/24", "m0"],
      ["10.8.0.2/24", "n0"],
      ["fd09::2/64", "n0"],
    ])
      w.must("ip", "address", "add", address!, "dev", link!, ...(address!.includes(":") ? ["nodad"] : []));
    for (const route of routes) w.must("ip", ...route.split(" "));
    const { master: _, ...nameless } = layer2;
    if (expected === undefined) {
      assert.deepEqual([w.refused("ADD", nameless, c1).msg], ["no default route interface found"]);
      const { code, msg } = w.refused("STATUS", { ...nameless, master: "" });
      assert.deepEqual([code, msg], [50, "no default route interface found"]);
      return;
    }
    w.status(nameless);
    const result = w.add(nameless, c1);
    assert.equal(c1.link().link_index, w.link(expected).ifindex);
    w.check(nameless, c1, result);
    w.del(nameless, c1);
    assert.equal(c1.link(), undefined);
  });

test("linkInContainer: the master is in the container", async (t) => {
  const w = await world(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const inside = { ...config, linkInContainer: true, master: "eth0" };
  // As Multus does it: macvlan on the macvlan of the first network, which the kernel puts on that one's own master.
  w.add({ ...layer2, name: "first" }, c1);
  for (const command of ["link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"])
    c2.must("ip", ...command.split(" "));
  for (const [container, master] of [
    [c1, "eth0"],
    [c2, "v0"],
  ] as const) {
    const masterInside = { ...inside, master };
    const result = w.add(masterInside, container, { ifName: "net1" });
    assert.deepEqual(container.addresses("net1").length, 2);
    w.check(masterInside, container, result, { ifName: "net1" });
    w.del(masterInside, container, { ifName: "net1" });
    assert.deepEqual([container.link("net1"), !!container.link(master)], [undefined, true]);
  }
  const { code, msg } = w.refused("ADD", { ...inside, master: "m0" }, c1, { ifName: "net1" });
  assert.deepEqual([code, msg], [7, 'failed to lookup master "m0": link not found']);
  c2.must("ip", "route", "add", "default", "dev", "v0");
  w.add({ ...inside, master: "" }, c2, { ifName: "net1" });
  assert.equal(c2.link("net1").link, "v0");
  // What is in containers is not known yet.
  w.status({ ...inside, master: "nowhere" });
});

test("the host's own link of the same name is not in the way, be it the master or not", async (t) => {
  const w = await world(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  w.must("ip", "link", "set", "m0", "name", "eth0");
  const result = w.add({ ...config, master: "eth0" }, c1);
  assert.equal(c1.link().link_index, w.link("eth0").ifindex);
  w.check({ ...config, master: "eth0" }, c1, result);
  w.add({ ...config, master: "m1" }, c2);
  assert.equal(c2.link().link_index, w.link("m1").ifindex);
  assert.ok(w.link("eth0"));
});

test("a master that is down: ADD succeeds, and packets flow when it comes up", async (t) => {
  const w = await world(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  w.must("ip", "link", "set", "m0", "down");
  const result = w.add(config, c1);
  w.add(config, c2);
  w.check(config, c1, result);
  w.must("ip", "link", "set", "m0", "up");
  assert.equal(c1.pings("10.1.0.3"), true);
});

test("masters of several kinds, by their alternative name too", async (t) => {
  const w = await world(t);
  w.must("ip", "link", "add", "br0", "up", "type", "bridge");
  w.must("ip", "tuntap", "add", "tap0", "mode", "tap");
  w.must("ip", "link", "property", "add", "dev", "m0", "altname", "a-name-longer-than-fifteen");
  const masters = ["m0", "br0", "tap0", "a-name-longer-than-fifteen"];
  for (const [i, master] of masters.entries()) {
    const c = w.container(`c${i}`);
    const on = { ...config, master };
    const result = w.add(on, c);
    assert.equal(c.link().link_index, w.ip("link", "show", "dev", master)[0].ifindex, master);
    w.check(on, c, result);
    w.status(on);
    w.del(on, c);
    assert.equal(c.link(), undefined);
  }
  const { code, msg } = w.refused("ADD", { ...config, master: "lo" }, w.container("last"));
  assert.deepEqual([code, /^cannot create macvlan eth0 on lo: /.test(msg)], [100, true], msg);
});

for (const [what, given, settings, code, msg] of [
  ["a master that is not there", { master: "gone" }, {}, 7, 'failed to lookup master "gone": link not found'],
  [
    "a mode that is none",
    { mode: "l2" },
    {},
    7,
    'invalid configuration: mode: expected one of "bridge", "private", "vepa", "passthru", got "l2"',
  ],
  [
    "an MTU that is no number",
    { mtu: "1400" },
    {},
    7,
    /^invalid configuration: mtu: expected a whole number/,
  ],
  [
    "a queue length below 0",
    { bcqueuelen: -1 },
    {},
    7,
    /^invalid configuration: bcqueuelen: expected .* got -1$/,
  ],
  ["a MAC that is none", { mac: "x" }, {}, 7, /^invalid configuration: mac: expected a MAC address/],
  [
    "a MAC of a group",
    { mac: "01:00:5e:00:00:01" },
    {},
    100,
    /^cannot create macvlan eth0 on m0: .*EADDRNOTAVAIL/,
  ],
  ["a MAC in CNI_ARGS that is none", {}, { args: "MAC=x" }, 4, 'CNI_ARGS: invalid MAC "x"'],
  ["an argument that nobody knows", {}, { args: "FOO=x" }, 4, "CNI_ARGS: unknown args FOO"],
  ["IPAM without address", { ipam: { type: "static" } }, {}, 100, "IPAM plugin returned missing IP config"],
] as const)
  test(`macvlan refuses ${what}, and leaves nothing`, async (t) => {
    const w = await world(t);
    const c1 = w.container();
    const before = [w.state(), c1.ip("address", "show")];
    const error = w.refused("ADD", { ...config, ...given }, c1, settings);
    assert.equal(error.code, code);
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    assert.deepEqual([w.state(), c1.ip("address", "show")], before);
  });

test("a second ADD is refused, and the DEL that follows in another network's name takes nothing", async (t) => {
  const w = await world(t);
  const c1 = w.container();
  const result = w.add(config, c1);
  const before = w.reserved();
  const other = { ...config, name: "other", ipam: fixed("10.2.0.2/24") };
  for (const second of [config, other]) {
    const error = w.refused("ADD", second, c1);
    assert.deepEqual([error.code, error.msg], [4, "container interface name provided (eth0) already exists"]);
  }
  // A runtime calls DEL after an ADD that failed.
  w.del(other, c1);
  assert.deepEqual(w.reserved(), before);
  w.check(config, c1, result);
});

test("two networks of one container, and two macvlans in one chain", async (t) => {
  const w = await world(t);
  const c1 = w.container();
  const one = { ...config, name: "one" };
  const two = { ...config, name: "two", master: "m1", ipam: fixed("10.2.0.2/24") };
  const first = w.add(one, c1);
  const second = w.add(two, c1, { ifName: "net1", prevResult: first });
  assert.equal(second.interfaces.length, 1);
  w.del(one, c1);
  w.check(two, c1, second, { ifName: "net1" });
  assert.deepEqual([c1.link(), w.reserved("one")], [undefined, {}]);
});

test("dns wins over that of IPAM if it says anything", async (t) => {
  const w = await world(t);
  const dns = { nameservers: ["192.0.2.1"] };
  const dnsOf = (id: string, own: Json) =>
    w.add({ ...config, dns: own, ipam: { ...fixed(`10.1.0.${id.slice(1)}/24`), dns } }, w.container(id)).dns;
  assert.deepEqual(dnsOf("c1", {}), dns);
  assert.deepEqual(dnsOf("c2", { search: ["s"] }), { search: ["s"] });
});

/** What may have happened before DEL, and how it is called. */
const departures: [what: string, happens: (w: World, c1: Container) => void, settings?: Json][] = [
  ["twice", (w, c1) => w.del(config, c1)],
  ["of an interface that is gone", (_, c1) => void c1.must("ip", "link", "del", "eth0")],
  ["with an empty namespace", (_, c1) => c1.vanish(), { netns: "" }],
  ["with a namespace that is gone", (_, c1) => c1.vanish()],
  ["with a master that is gone", (w) => void w.must("ip", "link", "del", "m0")],
  ["with a master that has another name", (w) => void w.must("ip", "link", "set", "m0", "name", "renamed")],
  ["with a master that is down", (w) => void w.must("ip", "link", "set", "m0", "down")],
  [
    "of an interface that has another name",
    (_, c1) => void c1.must(..."ip link set eth0 name mine".split(" ")),
  ],
  [
    "of an interface that has another name, where another network's has its",
    (w, c1) => {
      c1.must("ip", "link", "set", "eth0", "name", "mine");
      w.add({ ...layer2, name: "other", master: "m1" }, c1);
    },
  ],
];

for (const [what, happens, settings] of departures)
  test(`DEL of macvlan ${what}`, async (t) => {
    const w = await world(t);
    const c1 = w.container();
    w.add(config, c1);
    happens(w, c1);
    w.del(config, c1, settings);
    assert.deepEqual(w.reserved(), {});
    if (w.exec(["test", "-e", c1.netns]).code !== 0) return;
    const left = c1.ip("link", "show").flatMap(({ ifalias }) => ifalias ?? []);
    assert.deepEqual(left, what.includes("another network") ? ["cni:other/c1/eth0"] : []);
  });

test("DEL of macvlan that was never made, where it cannot be made either", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  for (const given of [{}, { master: "gone" }, { master: "" }, { linkInContainer: true }]) {
    w.del({ ...config, ...given }, c1);
    w.del({ ...config, ...given }, c1, { netns: "" });
  }
  assert.deepEqual(w.state(), before);
});

test("DEL takes no link of another kind, and one that the reference made", async (t) => {
  const w = await world(t);
  const c1 = w.container();
  c1.must("ip", "link", "add", "eth0", "type", "bridge");
  w.del(config, c1);
  assert.equal(kindOf(c1).info_kind, "bridge");
  c1.must("ip", "link", "del", "eth0");
  w.must(..."ip link add link m0 name x0 netns c1 type macvlan mode bridge".split(" "));
  c1.must("ip", "link", "set", "x0", "name", "eth0");
  w.del(config, c1);
  assert.equal(c1.link(), undefined);
});

/** What happens to the world, and what CHECK says then. */
const damages: [what: string, damage: (w: World, c1: Container) => void, msg: string | RegExp][] = [
  [
    "it is gone",
    (_, c1) => c1.must("ip", "link", "del", "eth0"),
    "interface eth0 is missing in /run/netns/c1",
  ],
  [
    "the master is gone",
    (w) => w.must("ip", "link", "del", "m0"),
    "interface eth0 is missing in /run/netns/c1",
  ],
  [
    "the master has another name",
    (w) => w.must("ip", "link", "set", "m0", "name", "renamed"),
    "master m0 is missing in the host",
  ],
  [
    "another master has the name",
    (w) => {
      w.must("ip", "link", "set", "m0", "name", "old");
      w.must("ip", "link", "set", "m1", "name", "m0");
    },
    "interface eth0 is not on master m0",
  ],
  [
    "it is another kind of link",
    (_, c1) => {
      c1.must("ip", "link", "del", "eth0");
      c1.must("ip", "link", "add", "eth0", "type", "bridge");
    },
    "interface eth0 is bridge, not macvlan",
  ],
  [
    "its mode",
    (_, c1) => c1.must(..."ip link set eth0 type macvlan mode private".split(" ")),
    "interface eth0 is in mode private, not bridge",
  ],
  [
    "its MAC",
    (_, c1) => c1.must(..."ip link set eth0 address 02:00:5e:00:53:09".split(" ")),
    /^interface eth0 has MAC 02:00:5e:00:53:09, not /,
  ],
  ["it is down", (_, c1) => c1.must("ip", "link", "set", "eth0", "down"), "interface eth0 is down"],
  [
    "an address",
    (_, c1) => c1.must(..."ip address del 10.1.0.2/24 dev eth0".split(" ")),
    "address 10.1.0.2/24 is missing on eth0",
  ],
  [
    "an IPv6 address",
    (_, c1) => c1.must(..."ip address del fd01::2/64 dev eth0".split(" ")),
    "address fd01::2/64 is missing on eth0",
  ],
  [
    "a route",
    (_, c1) => c1.must("ip", "route", "del", "default"),
    "route to 0.0.0.0/0 is missing in /run/netns/c1",
  ],
  [
    "an IPv6 route",
    (_, c1) => c1.must("ip", "-6", "route", "del", "default"),
    "route to ::/0 is missing in /run/netns/c1",
  ],
  ["the reservation", (w) => w.must("rm", "/var/lib/cni/networks/net/10.1.0.2"), /c1/],
];

for (const [what, damage, msg] of damages)
  test(`CHECK of macvlan finds: ${what}`, async (t) => {
    const w = await world(t);
    const c1 = w.container();
    const result = w.add(config, c1);
    w.check(config, c1, result);
    damage(w, c1);
    const error = w.refused("CHECK", config, c1, { prevResult: result });
    assert.ok(error.code >= 100 && error.code < 999, `code ${error.code}`);
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual(w.reserved(), {});
  });

test("CHECK of macvlan wants the result and the namespace of ADD", async (t) => {
  const w = await world(t);
  const c1 = w.container();
  const result = w.add(config, c1);
  const refused = (settings: Json) => w.refused("CHECK", config, c1, settings).msg;
  assert.equal(refused({}), "prevResult is missing");
  assert.match(refused({ prevResult: { ...result, interfaces: [] } }), /^prevResult has no interface eth0/);
});

test("STATUS of macvlan fails where an ADD could not succeed", async (t) => {
  const w = await world(t);
  // It tries to make a link, and whatever name the host has is not in the way.
  for (const name of ["status", "macvlan", "macvlan0"]) w.must("ip", "link", "add", name, "type", "bridge");
  const before = w.ip("link", "show");
  w.status(config);
  w.status(layer2);
  const gone = w.refused("STATUS", { ...config, master: "gone" });
  assert.deepEqual([gone.code, gone.msg], [50, 'failed to lookup master "gone": link not found']);
  assert.equal(w.refused("STATUS", { ...config, ipam: { type: "gone" } }).code, 7);
  assert.deepEqual(w.ip("link", "show"), before);
});

test("STATUS tells that the kernel lacks a kind of link", async (t) => {
  const w = await world(t);
  // A kernel has the kind, or has it not: both answers must be true.
  const c1 = w.container();
  for (const kind of ["ipvlan", "vlan"]) {
    const made = w.exec([
      "ip",
      ..."link add link m0 name x0 type".split(" "),
      kind,
      ...(kind === "vlan" ? ["id", "5"] : []),
    ]);
    if (made.code === 0) w.must("ip", "link", "del", "x0");
    const { code, output } = w.call("STATUS", { ...config, type: kind });
    const expected = made.code === 0 ? [0, undefined] : [1, `the kernel has no ${kind}`];
    assert.deepEqual([code, output?.msg], expected);
    if (made.code === 0) continue;
    assert.match(
      w.refused("ADD", { ...config, type: kind }, c1).msg,
      /^cannot create \w+ eth0 on m0: .*EOPNOTSUPP/,
    );
    assert.deepEqual([c1.link(), w.reserved()], [undefined, {}]);
    w.del({ ...config, type: kind }, c1);
  }
});

test("GC of macvlan removes exactly what belongs to no valid attachment of its network", async (t) => {
  const w = await world(t);
  const other = { ...config, name: "other", master: "m1", ipam: fixed("10.2.0.2/24") };
  const [keep, stale, dead] = ["keep", "stale", "dead"].map((id) => w.container(id));
  const kept = w.add(config, keep!);
  w.add(config, keep!, { ifName: "net1" });
  w.add(config, stale!);
  w.add(config, dead!);
  const foreign = w.add(other, stale!, { ifName: "net1" });
  stale!.must("ip", "link", "set", "eth0", "name", "renamed");
  w.must(..."ip link add link m0 name mine netns stale type macvlan".split(" "));
  dead!.vanish();
  // Namespaces are looked for where they are mounted, whatever the folder is called.
  w.must("mkdir", "/run/other folder");
  w.must("touch", "/run/other folder/ns");
  w.must("mount", "--bind", stale!.netns, "/run/other folder/ns");
  w.must("umount", stale!.netns);
  const inStale = (...command: string[]) => w.must("nsenter", "--net=/run/other folder/ns", ...command);
  const names = () =>
    JSON.parse(inStale("ip", "-j", "link", "show"))
      .map(({ ifname }: Json) => ifname)
      .filter((name: string) => name !== "lo")
      .sort();

  w.gc(config, ["keep/eth0", "gone/eth0"]);
  assert.deepEqual(names(), ["mine", "net1"]);
  assert.deepEqual(w.reserved(), { "10.1.0.2": "keep eth0", "fd01::2": "keep eth0" });
  assert.deepEqual([!!keep!.link(), keep!.link("net1")], [true, undefined]);
  w.check(config, keep!, kept);
  w.gc(other, ["stale/net1"]);
  assert.deepEqual(names(), ["mine", "net1"]);
  w.gc(other, []);
  assert.deepEqual(names(), ["mine"]);
  w.gc(config, []);
  assert.deepEqual([keep!.link(), w.reserved()], [undefined, {}]);
  assert.equal(foreign.interfaces[0].name, "net1");
});

for (const injection of INJECTIONS)
  test(`ADD of macvlan, where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
    const w = await world(t);
    const named = { ...config, mac: "02:00:5e:00:53:01" };
    assert.ok(addLeavesNothing({ world: w, container: w.container(), config: named }, injection) > 0);
  });

test("DEL clears what an ADD of macvlan has left that was killed at a sendto", async (t) => {
  const w = await world(t);
  assert.ok(delClearsKilled({ world: w, container: w.container(), config }, "sendto") > 0);
});

test("DEL of macvlan tells of each sendto that fails, and the next DEL removes the rest", async (t) => {
  const w = await world(t);
  assert.ok(delTells({ world: w, container: w.container(), config }, "sendto") > 0);
});
