import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSIONS } from "../../src/spec/versions.ts";
import { startBus, startFirewalld, withFirewalld } from "../message-bus.ts";
import {
  addressRules,
  attach,
  backends,
  bridge,
  by,
  detach,
  entries,
  held,
  NOTHING,
  records,
} from "./firewall-network.ts";
import { besideReference, type Container, reference, World } from "./world.ts";

// The firewall lets through what comes from containers, and answers to them, by whichever backend.

const firewall = { type: "firewall" };

const ADDRESSES = ["addresses4 10.1.0.2", "addresses6 fd01::2"];
const RULES = ["10.1.0.2/32", "fd01::2/128"].flatMap((address) => [
  `-d ${address} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  `-s ${address} -j ACCEPT`,
]);

/** A machine beyond the host, which knows the way back. */
function outside(w: World): Container {
  const machine = w.container("outside");
  // Else neighbours are found only after the detection of duplicates, a second later.
  for (const where of [w, machine]) where.must("sysctl", "-q", "net.ipv6.conf.default.accept_dad=0");
  w.must(..."ip link add up0 type veth peer name eth0 netns outside".split(" "));
  for (const [address, peer, family] of [
    ["192.0.2.1/24", "192.0.2.2/24", "-4"],
    ["fd99::1/64", "fd99::2/64", "-6"],
  ] as const) {
    const nodad = family === "-6" ? ["nodad"] : [];
    w.must("ip", "address", "add", address, "dev", "up0", ...nodad);
    machine.must("ip", "address", "add", peer, "dev", "eth0", ...nodad);
    w.must("ip", "link", "set", "up0", "up");
    machine.must("ip", "link", "set", "eth0", "up");
    machine.must("ip", family, "route", "add", "default", "via", address.split("/")[0]!);
  }
  return machine;
}

for (const backend of [undefined, "iptables"])
  test(`backend ${JSON.stringify(backend)}: containers pass a FORWARD that drops, others do not`, async (t) => {
    const w = await World.start(t);
    const machine = outside(w);
    for (const program of ["iptables", "ip6tables"]) w.must(program, "-P", "FORWARD", "DROP");
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    const config = { ...firewall, ...(backend !== undefined && { backend }) };
    const result = attach(w, [bridge(), config], c1);
    attach(w, [bridge()], c2);
    const [v4, v6] = ["192.0.2.2", "fd99::2"];
    for (const address of [v4, v6]) assert.equal(c1.pings(address), true, address);
    for (const address of [v4, v6]) assert.equal(c2.pings(address, 1), false, address);
    // Only answers come in.
    assert.equal(machine.pings("10.1.0.2", 1), false);
    w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
    assert.equal(c1.pings(v4, 1), false);
  });

test("without backend: nftables, unless iptables has a chain FORWARD and is installed", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = attach(w, [bridge()], c1);
  const used = (env = {}) => {
    w.add(firewall, c1, { prevResult: result, env });
    w.check(firewall, c1, result, { env });
    w.status(firewall, { env });
    const [byNftables, byIptables] = held(w).map(({ length }) => length > 0);
    w.del(firewall, c1, { prevResult: result });
    assert.deepEqual(held(w), NOTHING);
    return byNftables ? (byIptables ? "both" : "nftables") : byIptables && "iptables";
  };
  assert.equal(used(), "nftables");
  w.must("iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "ACCEPT");
  assert.equal(used(), "nftables");
  w.must("ip6tables", "-P", "FORWARD", "ACCEPT");
  assert.equal(used(), "iptables");
  assert.equal(used({ PATH: "/nowhere" }), "nftables");
  w.must("nft", "flush", "ruleset");
  assert.equal(used(), "nftables");
  w.must("iptables-legacy", "-P", "FORWARD", "ACCEPT");
  assert.equal(used(), "iptables");
});

test("iptables: the layout that other programs know, made once", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const chain = [bridge(), { ...by("iptables"), ingressPolicy: "isolated" }];
  const result = attach(w, chain, c1);
  const filter = (program = "iptables-save") => w.iptables(program, "filter");
  const comment = (text: string) => `-m comment --comment "CNI firewall plugin ${text}"`;
  const any = comment("rules (ingressPolicy: same-bridge|isolated)");
  const own = comment("rules (ingressPolicy: isolated)");
  const layout = (rules: readonly string[]) => [
    ...["ADMIN", "FORWARD", "ISOLATION-STAGE-1", "ISOLATION-STAGE-2"].map((name) => `:CNI-${name} - [0:0]`),
    `-A FORWARD ${any} -j CNI-ISOLATION-STAGE-1`,
    `-A FORWARD ${comment("rules")} -j CNI-FORWARD`,
    `-A CNI-FORWARD ${comment("admin overrides")} -j CNI-ADMIN`,
    ...rules.map((rule) => `-A CNI-FORWARD ${rule}`),
    `-A CNI-ISOLATION-STAGE-1 -i br1 -o br1 ${own} -j DROP`,
    `-A CNI-ISOLATION-STAGE-1 -i br1 ! -o br1 ${own} -j CNI-ISOLATION-STAGE-2`,
    `-A CNI-ISOLATION-STAGE-1 ${any} -j RETURN`,
    `-A CNI-ISOLATION-STAGE-2 -o br1 ${any} -j DROP`,
    `-A CNI-ISOLATION-STAGE-2 ${any} -j RETURN`,
  ];
  const same = (v4: readonly string[], v6: readonly string[]) =>
    assert.deepEqual([filter(), filter("ip6tables-save")], [layout(v4), layout(v6)]);
  same(RULES.slice(0, 2), RULES.slice(2));
  w.add(chain[1], c1, { prevResult: result });
  same(RULES.slice(0, 2), RULES.slice(2));
  w.del(chain[1], c1, { prevResult: result });
  same([], []);
});

test("iptables: each finds and removes what Debian's firewall has made", besideReference, async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const ours = { ...by("iptables"), cniVersion: "1.0.0" };
  const prevResult = { ...attach(w, [bridge()], c1), cniVersion: "1.0.0" };
  const state = () => [w.iptables("iptables-save", "filter"), w.iptables("ip6tables-save", "filter")];
  const theirs = { path: reference! };
  w.add(ours, c1, { prevResult });
  const made = state();
  w.check(ours, c1, prevResult, theirs);
  w.add(ours, c1, { prevResult, ...theirs });
  assert.deepEqual(state(), made);
  w.del(ours, c1, { prevResult, ...theirs });
  assert.deepEqual(addressRules(w), []);
  w.del(ours, c1, { prevResult });
  assert.deepEqual(records(w), []);
  w.must("nft", "flush", "ruleset");

  w.add(ours, c1, { prevResult, ...theirs });
  assert.deepEqual(state(), made);
  w.check(ours, c1, prevResult);
  w.add(ours, c1, { prevResult });
  assert.deepEqual(state(), made);
  w.exec(["rm", "-r", "/run/cni"]);
  w.del(ours, c1, { prevResult });
  assert.deepEqual(addressRules(w), []);
});

test("iptables by ip_tables: made, checked and removed by its own programs", async (t) => {
  const w = await World.start(t);
  w.must("mkdir", "/run/programs");
  for (const family of ["iptables", "ip6tables"])
    for (const action of ["save", "restore"])
      w.must("ln", "-s", `/usr/sbin/${family}-legacy-${action}`, `/run/programs/${family}-${action}`);
  const env = { PATH: `/run/programs:${process.env["PATH"]}` };
  const c1 = w.container();
  const result = attach(w, [bridge()], c1);
  const config = { ...by("iptables"), ingressPolicy: "isolated" };
  const saved = () => w.iptables("iptables-legacy-save", "filter").filter((line) => /10\.1\.0\.2/.test(line));
  w.add(config, c1, { prevResult: result, env });
  const made = w.iptables("iptables-legacy-save", "filter");
  w.add(config, c1, { prevResult: result, env });
  assert.deepEqual(w.iptables("iptables-legacy-save", "filter"), made);
  assert.deepEqual([saved().length, w.rules()], [2, []]);
  w.check(config, c1, result, { env });
  w.del(firewall, c1, { prevResult: result });
  assert.deepEqual([saved(), records(w)], [[], []]);
});

for (const backend of backends)
  test(`${backend}: rules of the administrator's own come first`, async (t) => {
    const w = await World.start(t);
    outside(w);
    const c1 = w.container();
    const [table, list] = backend === "nftables" ? ["inet", "cni_plugins_firewall"] : ["ip", "filter"];
    for (const [chain, option] of [
      ["CNI-ADMIN", {}],
      ["OFFICE", { iptablesAdminChainName: "OFFICE" }],
    ] as const) {
      const config = { ...by(backend), ...option };
      const result = attach(w, [bridge(), config], c1);
      w.add(config, c1, { prevResult: result });
      assert.equal(c1.pings("192.0.2.2"), true, chain);
      w.must(..."nft add rule".split(" "), table!, list!, chain, "ip saddr 10.1.0.0/24 drop");
      assert.equal(c1.pings("192.0.2.2", 1), false, chain);
      w.check(config, c1, result);
      const jumps = w.rules().filter((rule) => rule.includes(`"jump":{"target":"${chain}"}`));
      assert.equal(jumps.length, backend === "nftables" ? 1 : 2);
      detach(w, [bridge(), config], c1, { prevResult: result });
      w.must("nft", "flush", "chain", table!, list!, chain);
      assert.deepEqual(held(w), NOTHING);
    }
  });

for (const backend of backends)
  for (const cniVersion of VERSIONS)
    test(`${backend}: version ${cniVersion}`, async (t) => {
      const w = await World.start(t);
      const c1 = w.container();
      const config = { ...by(backend), cniVersion };
      const result = attach(w, [{ ...bridge(), cniVersion }], c1);
      assert.deepEqual(w.add(config, c1, { prevResult: result }), result);
      assert.deepEqual(held(w).slice(0, 2), backend === "nftables" ? [ADDRESSES, []] : [[], RULES]);
      if (cniVersion >= "0.4.0") w.check(config, c1, result);
      w.del(config, c1, { prevResult: result });
      assert.deepEqual(held(w), NOTHING);
    });

test("DEL removes what any backend made: without prevResult, namespace or program too, and twice", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = attach(w, [bridge()], c1);
  for (const made of backends)
    for (const used of [undefined, ...backends])
      for (const settings of [
        {},
        { prevResult: result },
        { prevResult: {} },
        { netns: "" },
        { netns: "/run/netns/gone" },
        { env: { PATH: "/nowhere" } },
      ]) {
        const ingressPolicy = "isolated";
        w.add({ ...by(made), ingressPolicy }, c1, { prevResult: result });
        const config = { ...firewall, ...(used && { backend: used }) };
        w.del(config, c1, settings);
        const where = `${made}, ${used}, ${JSON.stringify(settings)}`;
        assert.deepEqual(held(w), NOTHING, where);
        w.del(config, c1, settings);
      }
});

for (const backend of backends)
  test(`${backend}: an address that two attachments have survives the first DEL`, async (t) => {
    const w = await World.start(t);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    const result = attach(w, [bridge()], c1);
    const [config, other] = [by(backend), { ...by(backend), name: "other" }];
    const present = held(w).slice(0, 2);
    const add = () => {
      w.add(config, c1, { prevResult: result });
      w.add(other, c2, { prevResult: result });
      w.add(config, c1, { prevResult: result, ifName: "eth1" });
    };
    const attachments = [
      () => w.del(config, c1, { prevResult: result }),
      () => w.del(other, c2),
      () => w.del(config, c1, { prevResult: result, ifName: "eth1" }),
    ];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ]) {
      add();
      const still = () =>
        backend === "nftables" ? entries(w).filter((line) => line.startsWith("addresses")) : addressRules(w);
      for (const index of order) {
        assert.deepEqual(still(), backend === "nftables" ? ADDRESSES : RULES, `${order}`);
        attachments[index]!();
      }
      assert.deepEqual(held(w), [...present, []]);
    }
  });

for (const backend of backends)
  test(`${backend}: GC removes what belongs to no valid attachment of the network`, async (t) => {
    const w = await World.start(t);
    const config = { ...by(backend), ingressPolicy: "isolated" };
    const other = { ...config, name: "other" };
    const ids = ["keep", "stale", "dead"];
    const [keep, stale, dead] = ids.map((id) => w.container(id));
    const results = [keep, stale, dead].map((container) => attach(w, [bridge(), config], container!));
    const foreign = attach(w, [{ ...bridge(2), name: "other" }, other], stale!, { ifName: "eth1" });
    // An administrator's, and what another implementation made.
    w.exec(["iptables", "-N", "CNI-FORWARD"]);
    w.must("iptables", "-A", "CNI-FORWARD", "-s", "10.1.0.99/32", "-j", "ACCEPT");
    dead!.vanish();
    if (backend === "iptables") {
      // Who is not written down may be the reference's, and have any of the addresses by now.
      const before = held(w);
      w.gc(config, ["keep/eth0", "unknown/eth0"]);
      assert.deepEqual(held(w), before);
    }
    w.gc(config, ["keep/eth0"]);
    w.check(config, keep!, results[0]);
    w.check(other, stale!, foreign, { ifName: "eth1" });
    const about = (text: string) =>
      held(w)
        .flat()
        .filter((line) => line.includes(text));
    for (const gone of ["10.1.0.3", "10.1.0.4", "fd01::3"]) assert.deepEqual(about(gone), []);
    w.gc(config, []);
    for (const gone of ["10.1.0.2", ...(backend === "nftables" ? ["br1"] : [])])
      assert.deepEqual(about(gone), []);
    w.check(other, stale!, foreign, { ifName: "eth1" });
    w.gc(other, []);
    assert.deepEqual(held(w), [[], ["-s 10.1.0.99/32 -j ACCEPT"], []]);
  });

test("GC where nothing ever was makes nothing", async (t) => {
  const w = await World.start(t);
  const before = w.state();
  w.gc(firewall, []);
  assert.deepEqual(w.state(), before);
  assert.equal(w.exec(["ls", "/run/cni"]).code, 2);
});

test("a result without addresses passes through, and two firewalls in a chain do no harm", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  for (const backend of backends) {
    const bare = { cniVersion: "1.1.0", interfaces: [{ name: "eth0", sandbox: c1.netns }] };
    assert.deepEqual(w.add(by(backend), c1, { prevResult: bare }), bare);
    w.del(by(backend), c1, { prevResult: bare });
    const chain = [bridge(), by(backend), by(backend)];
    const result = attach(w, chain, c1);
    w.check(by(backend), c1, result);
    detach(w, chain, c1, { prevResult: result });
    assert.deepEqual(held(w), NOTHING);
  }
});

test("many containers at once: each has its entries, and all go", async (t) => {
  const w = await World.start(t);
  for (const backend of backends) {
    const containers = Array.from({ length: 8 }, (_, index) => w.container(`${backend}${index}`));
    const config = { ...by(backend), ingressPolicy: "isolated" };
    const result = (index: number) => ({
      cniVersion: "1.1.0",
      interfaces: [{ name: "br1" }, { name: `veth${index}` }],
      ips: [{ address: `10.1.0.${index + 2}/24` }],
    });
    const all = (verb: "ADD" | "DEL") =>
      Promise.all(
        containers.map((each, index) => w.start(verb, config, each, { prevResult: result(index) })),
      );
    for (const { code, output } of await all("ADD")) assert.equal(code, 0, JSON.stringify(output));
    for (const [index, each] of containers.entries()) w.check(config, each, result(index));
    assert.equal(
      w.rules().filter((rule) => /"target":"CNI-FORWARD"/.test(rule)).length,
      backend === "iptables" ? 1 : 0,
    );
    for (const { code, output } of await all("DEL")) assert.equal(code, 0, JSON.stringify(output));
    assert.deepEqual(held(w), NOTHING);
  }
});

test("nftables: a container may have 1,000 addresses", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const ips = Array.from({ length: 1000 }, (_, index) => ({
    address: `10.1.${index >> 8}.${index & 255}/16`,
  }));
  w.add(by("nftables"), c1, { prevResult: { ips } });
  assert.equal(entries(w).length, 1000);
  w.check(by("nftables"), c1, { ips });
  w.del(by("nftables"), c1, { prevResult: { ips } });
  assert.deepEqual(held(w), NOTHING);
});

test("with 1,000 containers present ADD and DEL ask the kernel for no more than with one", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const config = { ...by("nftables"), ingressPolicy: "same-bridge" };
  const prevResult = {
    interfaces: [{ name: "br1" }],
    ips: [{ address: "10.1.0.2/16" }, { address: "fd01::2/64" }],
  };
  /** How often it sends and receives, and how many bytes it is sent, for ADD and DEL. */
  const traffic = () =>
    (["ADD", "DEL"] as const).map((verb) => {
      const wrap = ["strace", "-qq", "-o", `${w.bin}/trace`, "-e", "trace=sendto,recvfrom"];
      assert.equal(w.call(verb, config, c1, { prevResult, wrap }).code, 0);
      const lines = w.read(`${w.bin}/trace`).trim().split("\n");
      const received = lines.filter((line) => line.startsWith("recvfrom"));
      return [lines.length, received.reduce((sum, line) => sum + Number(/= (\d+)$/.exec(line)?.[1] ?? 0), 0)];
    });
  const other = { interfaces: [{ name: "br1" }], ips: [{ address: "10.1.0.3/16" }] };
  w.add(config, w.container("c2"), { prevResult: other });
  const few = traffic();
  const addresses = Array.from({ length: 1000 }, (_, index) => `10.2.${index >> 8}.${index & 255}`);
  const comment = `comment "${"0".repeat(16)}-${"0".repeat(16)}, net: net, if: eth0, id: c3"`;
  const elements = addresses.map((address) => `${address} ${comment}`).join(", ");
  const attachments = addresses.map((_, index) => `"c${index}b" ${comment} : jump bridge-br1`).join(", ");
  const input = `add element inet cni_plugins_firewall addresses4 { ${elements} }
    add element inet cni_plugins_firewall attachments { ${attachments} }`;
  assert.equal(w.exec(["nft", "-f", "-"], { input }).code, 0);
  assert.deepEqual(traffic(), few);
  // Without prevResult all elements are read.
  w.add(config, c1, { prevResult });
  w.del(config, c1);
  assert.deepEqual(
    entries(w).filter((line) => /10\.1\.0\.2|fd01/.test(line)),
    [],
  );
});

test("firewalld: where it runs, addresses become sources of its zone", withFirewalld, async (t) => {
  const w = await World.start(t);
  const entering = (command: readonly string[]) => w.entering(command);
  const bus = await startBus(t);
  await startFirewalld(t, bus, entering);
  const env = { DBUS_SYSTEM_BUS_ADDRESS: bus.address };
  const sources = (zone: string) =>
    [
      ...w
        .must(
          "dbus-send",
          `--bus=${bus.address}`,
          "--print-reply=literal",
          "--dest=org.fedoraproject.FirewallD1",
          "/org/fedoraproject/FirewallD1",
          "org.fedoraproject.FirewallD1.zone.getSources",
          `string:${zone}`,
        )
        .matchAll(/\S+\/\d+/g),
    ].map(([source]) => source);
  const c1 = w.container();
  const result = attach(w, [bridge()], c1);
  for (const [config, zone] of [
    [firewall, "trusted"],
    [{ ...by("firewalld"), firewalldZone: "work", ingressPolicy: "same-bridge" }, "work"],
  ] as const) {
    w.add(config, c1, { prevResult: result, env });
    w.check(config, c1, result, { env });
    w.status(config, { env });
    assert.deepEqual(
      [sources(zone), records(w)],
      [
        ["10.1.0.2/32", "fd01::2/128"],
        ["10.1.0.2", "fd01::2"],
      ],
    );
    assert.equal(entries(w).includes("bridges br1"), zone === "work");
    w.del(config, c1, { env });
    assert.deepEqual([sources(zone), held(w)], [[], NOTHING]);
  }
  // Switched while the container runs.
  w.add(firewall, c1, { prevResult: result, env });
  w.del(by("nftables"), c1, { env });
  assert.deepEqual([sources("trusted"), held(w)], [[], NOTHING]);
});
