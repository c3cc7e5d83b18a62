import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { addLeavesNothing, delTells, INJECTIONS } from "./injection.ts";
import { besideReference, type Container, type Json, reference, World } from "./world.ts";

// Port forwarding by iptables, as those see it who send the packets: from outside, on the host, in containers.

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
const bridge = { type: "bridge", bridge: "br0", isGateway: true, hairpinMode: true, ipam };

const web = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
const names = { hostPort: 8053, containerPort: 53, protocol: "udp" };
const sctp = { hostPort: 9000, containerPort: 90, protocol: "sctp" };

function portmap(mappings: Json[], options: Json = {}): Json {
  return { type: "portmap", backend: "iptables", ...options, runtimeConfig: { portMappings: mappings } };
}

/** A host with the addresses 192.0.2.1 and fd99::1, and a machine `outside` that knows no way to the containers. */
async function hostAndOutside(t: TestContext) {
  const w = await World.start(t);
  const outside = w.container("outside");
  // Else neighbours are found only after the detection of duplicates, a second later.
  for (const where of [w, outside]) where.must("sysctl", "-q", "net.ipv6.conf.default.accept_dad=0");
  w.must(..."ip link add up0 type veth peer name eth0 netns outside".split(" "));
  for (const [where, link, ...addresses] of [
    [w, "up0", "192.0.2.1/24", "fd99::1/64"],
    [outside, "eth0", "192.0.2.2/24", "fd99::2/64"],
  ] as const) {
    for (const address of addresses) where.must("ip", "address", "add", address, "dev", link);
    where.must("ip", "link", "set", link, "up");
  }
  return { w, outside };
}

const SERVER = `
  const [name] = process.argv.slice(1);
  const plain = (address) => name + " " + address.replace("::ffff:", "");
  const udp = require("node:dgram").createSocket("udp6");
  udp.on("message", (_, { port, address }) => udp.send(plain(address) + "\\n", port, address));
  udp.bind(53, "::", () => {
    const tcp = require("node:net").createServer((socket) => {
      socket.on("error", () => {}).end(plain(socket.remoteAddress) + "\\n");
    });
    tcp.listen(80, "::", () => console.log("ready"));
  });`;

/** Answers on TCP port 80 and UDP port 53 with the container's name and the client's address. */
async function serve(t: TestContext, { world, id }: Container): Promise<void> {
  const child = world.spawn(t, "ip", "netns", "exec", id, process.execPath, "-e", SERVER, id);
  await once(child.stdout, "data");
}

/** What the server says to a client in that place: itself and whom it sees; "nothing" if there is no answer. */
function ask(where: World | Container, protocol: string, address: string, port: number, seconds = 5): string {
  const script = `exec 3<>/dev/${protocol}/${address}/${port} && echo x >&3 && head -n 1 <&3`;
  const command = ["timeout", `${seconds}`, "bash", "-c", script];
  const { stdout } = where instanceof World ? where.exec(command) : where.exec(...command);
  return stdout.trim() || "nothing";
}

/** A container on the bridge with ports forwarded to it. */
function start(w: World, id: string, config: Json, settings = {}) {
  const container = w.container(id);
  const prevResult = w.add({ ...bridge, cniVersion: config.cniVersion ?? "1.1.0" }, container);
  return { container, prevResult, result: w.add(config, container, { ...settings, prevResult }) };
}

/** What belongs to containers in the table nat. */
function forwards(w: World): string[] {
  return [...w.iptables(), ...w.iptables("ip6tables-save")].filter((line) => line.includes("CNI-DN-"));
}

/** A PATH in which the programs of iptables are those of one variant. */
function programs(w: World, variant: "nft" | "legacy", ...prefixes: string[]): { PATH: string } {
  const folder = join(w.bin, `${variant}-${prefixes.join("-")}`);
  mkdirSync(folder);
  for (const prefix of prefixes)
    for (const action of ["save", "restore"])
      symlinkSync(`/usr/sbin/xtables-${variant}-multi`, join(folder, `${prefix}-${action}`));
  return { PATH: folder };
}

for (const variant of ["nft", "legacy"] as const)
  test(`TCP and UDP get to the container from everywhere, by iptables-${variant}`, async (t) => {
    const { w, outside } = await hostAndOutside(t);
    if (variant === "legacy" && w.exec(["iptables-legacy", "-t", "nat", "-L"]).code !== 0)
      return t.skip("this kernel has no ip_tables");
    const env = programs(w, variant, "iptables", "ip6tables");
    const config = portmap([web, names]);
    const { container: c1, prevResult, result } = start(w, "c1", config, { env });
    assert.deepEqual(result, prevResult);
    const c2 = w.container("c2");
    w.add(bridge, c2);
    await serve(t, c1);
    const table: [World | Container, address: string, seen: string][] = [
      [outside, "192.0.2.1", "192.0.2.2"],
      [outside, "fd99::1", "fd99::2"],
      // The host's own connections come from the address that they are sent to, or that the way back leads to.
      [w, "192.0.2.1", "192.0.2.1"],
      [w, "10.1.0.1", "10.1.0.1"],
      [w, "127.0.0.1", "10.1.0.1"],
      [w, "fd99::1", "fd99::1"],
      // Neighbours of the container, and itself: without another source, the answer would go directly.
      [c2, "192.0.2.1", "10.1.0.1"],
      [c2, "fd99::1", "fd01::1"],
      [c1, "192.0.2.1", "10.1.0.1"],
      [c1, "fd99::1", "fd01::1"],
    ];
    for (const [where, address, seen] of table)
      for (const [protocol, port] of [
        ["tcp", 8080],
        ["udp", 8053],
      ] as const)
        assert.equal(
          ask(where, protocol, address, port),
          `c1 ${seen}`,
          `${protocol} from ${where instanceof World ? "the host" : where.id} to ${address}`,
        );
    w.check(config, c1, result, { env });
    w.del(config, c1, { env, prevResult: result });
    assert.equal(ask(outside, "tcp", "192.0.2.1", 8080, 1), "nothing");
    for (const save of [`iptables-${variant}-save`, `ip6tables-${variant}-save`])
      assert.deepEqual(
        w.iptables(save).filter((line) => line.includes("CNI-DN-")),
        [],
      );
  });

test("SCTP gets to the container", async (t) => {
  const { w, outside } = await hostAndOutside(t);
  // The packet below has no checksum.
  w.must("sysctl", "-q", "net.netfilter.nf_conntrack_checksum=0");
  const { container: c1 } = start(w, "c1", portmap([sctp]));
  c1.must("nft", "add table inet seen; add chain inet seen in { type filter hook input priority 0; }");
  c1.must("nft", "add rule inet seen in ip saddr 192.0.2.2 sctp dport 90 counter");
  // Ports, tag, checksum; an INIT chunk: type, flags, length; tag, window, streams out and in, number.
  const packet = 'pack("nnNN CCn NNnnN", 5000, 9000, 0, 0, 1, 0, 20, 1, 65535, 1, 1, 1)';
  const script = `socket(S, AF_INET, SOCK_RAW, 132) or die $!; send(S, ${packet}, 0, pack_sockaddr_in(0, inet_aton("192.0.2.1"))) or die $!`;
  outside.must("perl", "-MSocket", "-e", script);
  assert.match(c1.must("nft", "list", "ruleset"), /sctp dport 90 counter packets 1 /);
});

test("snat, masqAll, hostIP, conditions and externalSetMarkChain, as clients see them", async (t) => {
  const { w, outside } = await hostAndOutside(t);
  w.must("ip", "address", "add", "192.0.2.9/24", "dev", "up0");
  w.must("iptables", "-t", "nat", "-N", "OTHERS-MARK");
  w.must(..."iptables -t nat -A OTHERS-MARK -j MARK --set-xmark 0x4000/0x4000".split(" "));
  w.must(..."iptables -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE".split(" "));
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  await serve(t, c1);
  const seen = "c1 192.0.2.2";
  const masqueraded = "c1 10.1.0.1";
  const table: [options: Json, mapping: Json, Record<string, string>][] = [
    [
      { snat: false },
      {},
      { "outside 192.0.2.1": seen, "c1 192.0.2.1": "nothing", "host 127.0.0.1": "nothing" },
    ],
    [{ masqAll: true }, {}, { "outside 192.0.2.1": masqueraded, "c1 192.0.2.1": masqueraded }],
    [{}, { hostIP: "192.0.2.9" }, { "outside 192.0.2.9": seen, "outside 192.0.2.1": "nothing" }],
    [{}, { hostIP: "127.0.0.1" }, { "host 127.0.0.1": masqueraded, "outside 192.0.2.1": "nothing" }],
    [{}, { hostIP: "0.0.0.0" }, { "outside 192.0.2.1": seen, "outside fd99::1": "nothing" }],
    [{}, { hostIP: "fd99::1" }, { "outside fd99::1": "c1 fd99::2", "outside 192.0.2.1": "nothing" }],
    [
      { conditionsV4: ["-d", "192.0.2.9"] },
      {},
      { "outside 192.0.2.9": seen, "outside 192.0.2.1": "nothing" },
    ],
    [
      { conditionsV6: ["!", "-s", "fd99::2"] },
      {},
      { "outside fd99::1": "nothing", "host fd99::1": "c1 fd99::1", "outside 192.0.2.1": seen },
    ],
    [{ markMasqBit: 30 }, {}, { "host 127.0.0.1": masqueraded, "outside 192.0.2.1": seen }],
    [
      // In IPv6 there is no such chain.
      { externalSetMarkChain: "OTHERS-MARK" },
      { hostIP: "0.0.0.0" },
      { "host 127.0.0.1": masqueraded, "c1 192.0.2.1": masqueraded },
    ],
  ];
  for (const [options, mapping, expected] of table) {
    const config = portmap([{ ...web, ...mapping }], options);
    const result = w.add(config, c1, { prevResult });
    for (const [from, answer] of Object.entries(expected)) {
      const [place, address] = from.split(" ");
      const where = place === "host" ? w : place === "c1" ? c1 : outside;
      const found = ask(where, "tcp", address!, 8080, answer === "nothing" ? 1 : 5);
      assert.equal(found, answer, `${JSON.stringify([options, mapping])}: ${from}`);
    }
    w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
    assert.deepEqual(forwards(w), []);
  }
});

test("a client of UDP that does not change its port gets to whoever has the port now", async (t) => {
  const { w, outside } = await hostAndOutside(t);
  const script = `exec 3<>/dev/udp/192.0.2.1/8053
    while read -r line; do echo "$line" >&3; answer=$(timeout 1 head -n 1 <&3); echo "\${answer:-nothing}"; done`;
  const child = w.spawn(t, "ip", "netns", "exec", outside.id, "bash", "-c", script);
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  const say = async () => {
    child.stdin.write("hello\n");
    return (await answers.next()).value;
  };
  const config = portmap([names]);
  // The kernel has seen the connection before there is anybody to forward it to.
  outside.must("nft", "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; }");
  outside.must("nft", "add rule ip deaf in icmp type destination-unreachable drop");
  assert.equal(await say(), "nothing");
  const first = start(w, "c1", config);
  await serve(t, first.container);
  assert.equal(await say(), "c1 192.0.2.2");
  w.del(config, first.container, { prevResult: first.result });
  assert.equal(await say(), "nothing");
  const second = start(w, "c2", config);
  await serve(t, second.container);
  assert.equal(await say(), "c2 192.0.2.2");
  // Without a DEL that knew the addresses.
  w.del(config, second.container);
  w.add(config, first.container, { prevResult: first.prevResult });
  assert.equal(await say(), "c1 192.0.2.2");
});

for (const [maker, remover] of [
  ["reference", "ours"],
  ["ours", "reference"],
] as const)
  test(`made by ${maker}, removed by ${remover}: nothing is left`, besideReference, async (t) => {
    const { w, outside } = await hostAndOutside(t);
    const path = { reference: reference!, ours: w.bin };
    // The reference of Debian 12 knows no key `backend`.
    const others = portmap([{ ...web, hostPort: 1 }], { cniVersion: "1.0.0" });
    const config = portmap([web, names, { ...web, hostPort: 8081, hostIP: "192.0.2.1" }, sctp], {
      cniVersion: "1.0.0",
    });
    const { container: c1, prevResult } = start(w, "c1", others, { path: w.bin });
    w.del(others, c1, { prevResult });
    const before = [w.iptables(), w.iptables("ip6tables-save")];
    const result = w.add(config, c1, { path: path[maker], prevResult });
    await serve(t, c1);
    assert.equal(ask(outside, "tcp", "192.0.2.1", 8080), "c1 192.0.2.2");
    w.del(config, c1, { path: path[remover], prevResult: result });
    assert.deepEqual([w.iptables(), w.iptables("ip6tables-save")], before);
    w.del(config, c1, { path: path[remover], prevResult: result });
  });

// The one of Debian 12 knows no masqAll.
test("the same rules as the reference", besideReference, async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add({ ...bridge, cniVersion: "1.0.0" }, c1);
  const many = Array.from({ length: 17 }, (_, index) => ({ ...web, hostPort: 9001 + index }));
  const rules = (path: string, config: Json) => {
    const result = w.add(config, c1, { path, prevResult });
    w.check(config, c1, result);
    const found = [...w.iptables(), ...w.iptables("ip6tables-save")];
    w.del(config, c1, { path, prevResult: result });
    for (const program of ["iptables", "ip6tables"]) w.must(program, "-t", "nat", "-F");
    for (const program of ["iptables", "ip6tables"]) w.must(program, "-t", "nat", "-X");
    return found;
  };
  for (const config of [
    portmap([web, names, sctp, ...many]),
    portmap([web], {
      snat: false,
      conditionsV4: ["!", "-d", "192.0.2.0/24"],
      conditionsV6: ["-s", "fd00::/8"],
    }),
    portmap([web], { markMasqBit: 31 }),
  ]) {
    const wanted = { ...config, cniVersion: "1.0.0" };
    assert.deepEqual(rules(w.bin, wanted), rules(reference!, wanted));
  }
});

test("DEL removes what either backend made, with whatever it is told", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const config = portmap([web, names]);
  const nftables = { ...config, backend: "nftables" };
  for (const each of [config, nftables]) w.del(each, c1, { prevResult: w.add(each, c1, { prevResult }) });
  const before = w.rules();
  for (const [made, known] of [
    [config, config],
    [config, nftables],
    [nftables, config],
  ])
    for (const settings of [
      { prevResult },
      {},
      { netns: "" },
      { prevResult, env: { PATH: "/nowhere" } },
      { netns: "/run/netns/vanished", prevResult: {} },
    ]) {
      w.add(made, c1, { prevResult });
      for (const config of [known, { ...known, runtimeConfig: {} }]) w.del(config, c1, settings);
      assert.deepEqual(w.rules(), before, `${made.backend} ${known.backend} ${JSON.stringify(settings)}`);
    }
});

test("GC removes what is stale in this network, whichever backend made it", async (t) => {
  const w = await World.start(t);
  const containers = ["c1", "c2"].map((id) => w.container(id));
  let hostPort = 1000;
  const kept: [Json, Container, Json][] = [];
  for (const container of containers)
    for (const [network, ifName] of [
      ["net", "eth0"],
      ["other", "eth1"],
    ] as const) {
      const prevResult = w.add({ ...bridge, name: network }, container, { ifName });
      const config = { ...portmap([{ ...web, hostPort: hostPort++ }]), name: network };
      w.add(config, container, { ifName, prevResult });
      if (container.id === "c2" || network === "other")
        kept.push([config, container, { ifName, prevResult }]);
    }
  assert.equal(new Set(forwards(w).flatMap((line) => line.match(/CNI-DN-\w+/) ?? [])).size, 4);
  // The backend that the configuration names now.
  for (const backend of ["iptables", "nftables"]) {
    w.gc({ ...portmap([], { backend }) }, ["c2/eth0"]);
    assert.equal(new Set(forwards(w).flatMap((line) => line.match(/CNI-DN-\w+/) ?? [])).size, 3);
    for (const [config, container, { ifName, prevResult }] of kept)
      w.check(config, container, prevResult, { ifName });
  }
  w.gc(portmap([]), []);
  w.gc({ ...portmap([]), name: "other" }, []);
  assert.deepEqual(forwards(w), []);
});

test("CHECK finds what is missing", async (t) => {
  const w = await World.start(t);
  const config = portmap([web, names]);
  const { container: c1, result } = start(w, "c1", config);
  const chain = forwards(w)[0]!.slice(1).split(" ")[0]!;
  for (const [damage, details] of [
    [["iptables", "-t", "nat", "-F", chain], /^iptables -t nat -A CNI-DN-/],
    [["ip6tables", "-t", "nat", "-F", chain], /^ip6tables -t nat -A CNI-DN-/],
    [["iptables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"], /^iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp/],
    [["ip6tables", "-t", "nat", "-F", "PREROUTING"], /^ip6tables -t nat -A PREROUTING/],
    [["iptables", "-t", "nat", "-F", "OUTPUT"], /^iptables -t nat -A OUTPUT/],
    [["iptables", "-t", "nat", "-F", "POSTROUTING"], /^iptables -t nat -A POSTROUTING/],
    [["iptables", "-t", "nat", "-F", "CNI-HOSTPORT-SETMARK"], /^iptables -t nat -A CNI-HOSTPORT-SETMARK/],
    [["nft", "flush", "ruleset"], /^iptables -t nat -A /],
  ] as const) {
    w.check(config, c1, result);
    w.must(...damage);
    const error = w.refused("CHECK", config, c1, { prevResult: result });
    assert.deepEqual([error.code, error.msg], [100, "a port forwarding rule is missing"]);
    assert.match(error.details, details);
    w.add(config, c1, { prevResult: result });
  }
});

test("a port that another container has is refused, and what was there stays", async (t) => {
  const { w, outside } = await hostAndOutside(t);
  const { container: c1 } = start(w, "c1", portmap([web]));
  await serve(t, c1);
  const before = forwards(w);
  const c2 = w.container("c2");
  const prevResult = w.add(bridge, c2);
  const error = w.refused("ADD", portmap([names, web]), c2, { prevResult });
  assert.equal(error.code, 100);
  assert.match(error.msg, /^host port 8080\/tcp is already in use by container c1 \(network net\)$/);
  assert.deepEqual(forwards(w), before);
  assert.equal(ask(outside, "tcp", "192.0.2.1", 8080), "c1 192.0.2.2");
});

test("ADD twice makes the rules once; two networks of a container do not take each other's", async (t) => {
  const { w, outside } = await hostAndOutside(t);
  const config = portmap([web]);
  const { container: c1, prevResult } = start(w, "c1", config);
  const once = forwards(w);
  w.add(config, c1, { prevResult });
  assert.deepEqual(forwards(w), once);
  await serve(t, c1);
  // As runtimes do that tell each network of all ports.
  const second = { ...config, name: "second" };
  const result = w.add({ ...bridge, name: "second", bridge: "br1" }, c1, { ifName: "eth1" });
  w.add(second, c1, { ifName: "eth1", prevResult: result });
  w.check(second, c1, result, { ifName: "eth1" });
  assert.equal(ask(outside, "tcp", "192.0.2.1", 8080), "c1 192.0.2.2");
  w.del(second, c1, { ifName: "eth1", prevResult: result });
  assert.deepEqual(forwards(w), once);
  w.check(config, c1, prevResult);
});

test("without its programs ADD fails and leaves nothing; STATUS says so", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const config = portmap([web]);
  const before = w.state();
  for (const [env, program] of [
    [{ PATH: "/nowhere" }, "iptables-restore"],
    // IPv4 has been done when this is found out.
    [programs(w, "nft", "iptables"), "ip6tables-restore"],
  ] as const) {
    const error = w.refused("ADD", config, c1, { env, prevResult });
    assert.equal(error.msg, `program ${program} not found`);
    assert.match(error.details, /nftables/);
    assert.deepEqual(forwards(w), []);
  }
  for (const name of ["PREROUTING", "OUTPUT", "POSTROUTING"]) w.must("iptables", "-t", "nat", "-F", name);
  for (const name of ["DNAT", "SETMARK", "MASQ"]) {
    w.must("iptables", "-t", "nat", "-F", `CNI-HOSTPORT-${name}`);
    w.must("iptables", "-t", "nat", "-X", `CNI-HOSTPORT-${name}`);
  }
  assert.deepEqual(w.state(), before);
  w.status(config);
  assert.match(
    w.refused("STATUS", config, undefined, { env: { PATH: "/nowhere" } }).msg,
    /iptables-save not found/,
  );
});

test("containers may come and go at once", async (t) => {
  const w = await World.start(t);
  const containers = Array.from({ length: 8 }, (_, index) => w.container(`c${index}`));
  const results = containers.map((container) => w.add(bridge, container));
  const configOf = (index: number) => portmap([{ ...web, hostPort: 8000 + index }]);
  const all = (verb: "ADD" | "DEL") =>
    Promise.all(
      containers.map((container, index) =>
        w.start(verb, configOf(index), container, { prevResult: results[index] }),
      ),
    );
  for (const { code, output } of await all("ADD")) assert.equal(code, 0, JSON.stringify(output));
  for (const [index, container] of containers.entries()) w.check(configOf(index), container, results[index]);
  for (const chain of ["PREROUTING", "OUTPUT", "POSTROUTING"])
    assert.equal(w.iptables().filter((line) => line.startsWith(`-A ${chain} `)).length, 1, chain);
  for (const { code, output } of await all("DEL")) assert.equal(code, 0, JSON.stringify(output));
  assert.deepEqual(forwards(w), []);
  // One of those who want the same port gets it.
  const claims = await Promise.all(
    containers.map((container, index) =>
      w.start("ADD", portmap([web]), container, { prevResult: results[index] }),
    ),
  );
  assert.deepEqual(
    claims.map(({ code }) => code).filter((code) => code === 0),
    [0],
  );
});

test("whatever fails during ADD, nothing is left; DEL tells what it could not do", async (t) => {
  const w = await World.start(t);
  const container = w.container();
  const config = portmap([web]);
  const v4 = { ...bridge, ipam: { ...ipam, ranges: ipam.ranges.slice(0, 1) } };
  const settings = { prevResult: w.add(v4, container) };
  const subject = { world: w, container, config, settings, state: () => w.state() };
  for (const injection of INJECTIONS) assert.ok(addLeavesNothing(subject, injection) > 0, injection.join());
  assert.ok(delTells(subject, "sendto") > 0);
});
