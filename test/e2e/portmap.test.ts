import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, ask, keepAsking, outside, type Transport } from "./answering.ts";
import { BACKENDS, bridge, containers, portmap, portsLeft } from "./portmap.ts";
import { type Container, type Json, World } from "./world.ts";

// Ports of the host that lead to containers, seen by those who ask there.

for (const bridged of ["0", "1"])
  test(`a port leads to the container, whoever asks; bridge-nf-call-iptables=${bridged}`, async (t) => {
    const w = await World.start(t);
    const settings = ["iptables", "ip6tables"].map((name) => `net.bridge.bridge-nf-call-${name}=${bridged}`);
    const isSet = w.exec(["sysctl", "-q", ...settings]).code === 0;
    if (!isSet && bridged === "1") return t.skip("the kernel has no br_netfilter");
    const far = outside(w);
    const [one, two] = await containers(t, w, 2);
    const { container: c1, result } = one!;
    const config = portmap(["8080:80", "8053:81/udp"]);
    assert.deepEqual(w.add(config, c1, { prevResult: result }), result);
    for (const [port, transport] of [
      [8080, "tcp"],
      [8053, "udp"],
    ] as const) {
      // From afar the container sees who it is; where the answer would take another way, it comes by the host.
      const rows: [from: World | Container, address: string, seen: string][] = [
        [far, "192.0.2.1", "192.0.2.2"],
        [far, "fd99::1", "fd99::2"],
        [w, "192.0.2.1", "192.0.2.1"],
        [w, "fd99::1", "fd99::1"],
        [w, "127.0.0.1", "10.1.0.1"],
        [c1, "192.0.2.1", "10.1.0.1"],
        [c1, "10.1.0.1", "10.1.0.1"],
        [c1, "fd99::1", "fd01::1"],
        [two!.container, "192.0.2.1", "10.1.0.1"],
        [two!.container, "fd01::1", "fd01::1"],
      ];
      for (const [from, address, seen] of rows)
        assert.equal(ask(from, address, port, transport), `c1 ${seen}`, `${transport} to ${address}`);
    }
    // Neither is the other protocol forwarded, nor what is for other hosts.
    assert.equal(ask(far, "192.0.2.1", 8053), "");
    assert.equal(ask(c1, "10.1.0.3", 8080), "");
    w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
    assert.equal(ask(far, "192.0.2.1", 8080), "");
    assert.deepEqual(portsLeft(w), []);
  });

test("SCTP", async (t) => {
  const w = await World.start(t);
  const far = outside(w);
  const c1 = w.container();
  const result = w.add(bridge, c1);
  w.add(portmap(["9000:90/sctp"]), c1, { prevResult: result });
  // The kernel of the test may have no SCTP itself. Its checksum (CRC32c) is left out of the packet.
  w.must("sysctl", "-q", "net.netfilter.nf_conntrack_checksum=0");
  c1.must("nft", "add table inet seen; add chain inet seen in { type filter hook input priority 0; }");
  c1.must("nft", "add rule inet seen in ip saddr 192.0.2.2 ip daddr 10.1.0.2 sctp dport 90 counter");
  // RFC 9260 section 3.3.2: an INIT chunk.
  const init = `use Socket; socket(my $s, PF_INET, SOCK_RAW, 132) or die;
    send($s, pack("nnNNCCnNNnnN", 40000, 9000, 0, 0, 1, 0, 20, 1, 65536, 1, 1, 1), 0, sockaddr_in(0, inet_aton("192.0.2.1"))) or die`;
  far.must("perl", "-e", init);
  assert.match(c1.must("nft", "list", "ruleset"), /counter packets 1 /);
});

test("hostIP: the port of that address alone", async (t) => {
  const w = await World.start(t);
  const far = outside(w);
  const [one, two] = await containers(t, w, 2);
  const first = portmap(["192.0.2.1:8080:80", "[fd99::1]:8080:80", "127.0.0.1:8081:80"]);
  w.add(first, one!.container, { prevResult: one!.result });
  const second = portmap(["10.1.0.1:8080:80", "0.0.0.0:8082:81", "[::]:8083:81"]);
  w.add(second, two!.container, { prevResult: two!.result });
  const asked = (from: World | Container, address: string, port: number) =>
    ask(from, address, port).slice(0, 2);
  assert.deepEqual(
    [
      asked(far, "192.0.2.1", 8080),
      asked(far, "fd99::1", 8080),
      asked(w, "10.1.0.1", 8080),
      asked(w, "127.0.0.1", 8080),
      asked(w, "127.0.0.1", 8081),
      asked(far, "192.0.2.1", 8081),
      asked(far, "192.0.2.1", 8082),
      asked(far, "fd99::1", 8082),
      asked(far, "192.0.2.1", 8083),
      asked(far, "fd99::1", 8083),
    ],
    ["c1", "c1", "c2", "", "c1", "", "c2", "", "", "c2"],
  );
  w.check(first, one!.container, one!.result);
  w.check(second, two!.container, two!.result);
});

test("a port of one address goes before the same port of all addresses, whichever came first", async (t) => {
  const w = await World.start(t);
  const far = outside(w);
  const made = await containers(t, w, 2);
  const rows = [["8080:80"], ["192.0.2.1:8080:80"]];
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    for (const index of order) {
      const { container, result } = made[index]!;
      w.add(portmap(rows[index]!), container, { prevResult: result });
    }
    const asked = ["192.0.2.1", "10.1.0.1"].map((address) => ask(w, address, 8080).slice(0, 2));
    assert.deepEqual([...asked, ask(far, "fd99::1", 8080)], ["c2", "c1", "c1 fd99::2"]);
    for (const { container, result } of made)
      w.del(portmap(rows[made.findIndex((each) => each.container === container)]!), container, {
        prevResult: result,
      });
    assert.deepEqual(portsLeft(w), []);
  }
});

test("snat and masqAll: who is masqueraded", async (t) => {
  const w = await World.start(t);
  const far = outside(w);
  const [one] = await containers(t, w, 1);
  const { container: c1, result } = one!;
  // Its answers find the way without masquerading.
  far.must("ip", "route", "add", "default", "via", "192.0.2.1");
  for (const [options, seen, hairpin, local] of [
    [{}, "192.0.2.2", "c1 10.1.0.1", "c1 10.1.0.1"],
    [{ masqAll: true }, "10.1.0.1", "c1 10.1.0.1", "c1 10.1.0.1"],
    [{ snat: false }, "192.0.2.2", "", ""],
    [{ snat: false, masqAll: true }, "192.0.2.2", "", ""],
  ] as const) {
    const config = portmap(["8080:80"], options);
    w.must("sysctl", "-q", "net.ipv4.conf.br0.route_localnet=0");
    w.add(config, c1, { prevResult: result });
    const answers = [
      ask(far, "192.0.2.1", 8080),
      ask(c1, "192.0.2.1", 8080, "tcp", 1),
      ask(w, "127.0.0.1", 8080, "tcp", 1),
    ];
    assert.deepEqual(answers, [`c1 ${seen}`, hairpin, local], JSON.stringify(options));
    w.check(config, c1, result);
    w.del(config, c1, { prevResult: result });
  }
});

test("masquerading is for what is forwarded: who asks the container itself is seen", async (t) => {
  const w = await World.start(t);
  const far = outside(w);
  far.must("ip", "route", "add", "10.1.0.0/24", "via", "192.0.2.1");
  const [one] = await containers(t, w, 1);
  w.add(portmap(["8080:80"], { masqAll: true }), one!.container, { prevResult: one!.result });
  assert.equal(ask(far, "10.1.0.2", 80), "c1 192.0.2.2");
});

for (const [conditionsV4, conditionsV6] of [
  [
    ["ip", "saddr", "!=", "192.0.2.2"],
    ["ip6 saddr != { fd99::2, fd99::3 }", "iifname != lo"],
  ],
  [
    ["!", "-s", "192.0.2.2"],
    ["!", "-s", "fd99::2"],
  ],
] as const)
  test(`conditionsV4, conditionsV6: ${conditionsV4.join(" ")}: for this container alone`, async (t) => {
    const w = await World.start(t);
    const far = outside(w);
    const made = await containers(t, w, 2);
    const configs = [
      portmap(["8080:80", "192.0.2.1:8082:80"], { conditionsV4, conditionsV6 }),
      portmap(["8081:80"]),
    ];
    for (const [index, { container, result }] of made.entries())
      w.add(configs[index], container, { prevResult: result });
    const asked = (from: World | Container, address: string, port: number) =>
      ask(from, address, port).slice(0, 2);
    assert.deepEqual(
      [
        ...["192.0.2.1", "fd99::1"].flatMap((address) => [
          asked(far, address, 8080),
          asked(far, address, 8081),
        ]),
        ...["192.0.2.1", "fd99::1", "127.0.0.1"].map((address) => asked(w, address, 8080)),
        asked(far, "192.0.2.1", 8082),
        asked(w, "192.0.2.1", 8082),
      ],
      ["", "c2", "", "c2", "c1", "c1", "c1", "", "c1"],
    );
    for (const [index, { container, result }] of made.entries()) {
      w.check(configs[index], container, result);
      w.del(configs[index], container, { prevResult: result });
    }
    assert.deepEqual(portsLeft(w), []);
    const rules = w.rules().filter((rule) => rule.includes("net/c"));
    assert.deepEqual(rules, []);
  });

test("UDP from one port reaches the container that has taken over", {
  timeout: 60_000,
}, async (t) => {
  const w = await World.start(t);
  const far = outside(w);
  const made = await containers(t, w, 2);
  const config = portmap(["8053:80/udp"]);
  const answers = keepAsking(t, far, "192.0.2.1", 8053);
  for (const round of [0, 1, 2]) {
    const { container, result } = made[round % 2]!;
    w.add(config, container, { prevResult: result });
    // Those of before may still be on their way.
    for (;;) {
      const { value } = await answers.next();
      if (value === `${container.id} 192.0.2.2`) break;
    }
    w.del(config, container, { prevResult: result });
  }
});

test("a port of another container is refused, and its holder named", async (t) => {
  const w = await World.start(t);
  const made = ["c1", "c2"].map((id) => w.container(id)).map((c) => ({ c, result: w.add(bridge, c) }));
  const [{ c: c1, result: first }, { c: c2, result: second }] = made as [Json, Json];
  const held = portmap(["8080:80", "192.0.2.1:8081:80/udp", "[fd99::1]:8082:80"]);
  w.add(held, c1, { prevResult: first });
  const before = w.state();
  for (const [mappings, port] of [
    [["9000:80", "8080:81"], "8080/tcp"],
    [["9000:80", "192.0.2.1:8081:80/udp"], "192.0.2.1:8081/udp"],
    [["9000:80", "[fd99::1]:8082:80"], "[fd99::1]:8082/tcp"],
    [["9000:80", "[::]:8080:80"], "8080/tcp"],
  ] as const) {
    const { code, msg, details } = w.refused("ADD", portmap(mappings), c2, { prevResult: second });
    const holder = "container c1 (network net, interface eth0)";
    assert.deepEqual([code, msg], [100, `host port ${port} is already in use by ${holder}`]);
    assert.match(details, /^Choose another host port, or run DEL/);
    assert.deepEqual(w.state(), before);
  }
  // Another protocol, another address, another port.
  const free = portmap(["8080:80/udp", "10.1.0.1:8081:80/udp", "8082:80"]);
  w.add(free, c2, { prevResult: second });
  w.check(held, c1, first);
  w.del(held, c1, { prevResult: first });
  w.check(free, c2, second);
  w.add({ ...held, name: "other" }, c2, { prevResult: second });
});

test("a port is refused that another container has by the other backend, or by another implementation", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const [first, second] = [{ prevResult: w.add(bridge, c1) }, { prevResult: w.add(bridge, c2) }];
  const on = (backend: string, ...mappings: string[]) => portmap(mappings, { backend });
  for (const [mine, others, holder] of [
    ["nftables", "iptables", "container c1 (network net)"],
    ["iptables", "nftables", "container c1 (network net, interface eth0)"],
  ] as const) {
    w.add(on(others, "8080:80", "192.0.2.1:8081:80/udp"), c1, first);
    const before = w.state();
    for (const [mapping, port] of [
      ["8080:80", "8080/tcp"],
      ["192.0.2.1:8081:80/udp", "192.0.2.1:8081/udp"],
    ] as const) {
      const { code, msg } = w.refused("ADD", on(mine, "9000:80", mapping), c2, second);
      assert.deepEqual([code, msg], [100, `host port ${port} is already in use by ${holder}`]);
      assert.deepEqual(w.state(), before);
    }
    w.add(on(mine, "8080:80/udp", "8081:80"), c2, second);
    w.del(on(mine), c2, second);
    w.del(on(others), c1, first);
  }
  w.add(on("nftables", "8082:80"), c1, first);
  w.must(
    "nft",
    "add",
    "rule",
    "ip",
    "cni_hostport",
    "hostports",
    'tcp dport 8080 dnat to 10.1.0.2:80 comment "c1"',
  );
  const { msg } = w.refused("ADD", on("nftables", "8080:80"), c2, second);
  assert.equal(msg, "host port 8080/tcp is already in use by container c1");
  w.add(on("nftables", "8080:80/udp"), c2, second);
  w.add(on("nftables", "8080:80"), c1, first);
});

test("a port with conditions is refused to another container with the same ones", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const [first, second] = [w.add(bridge, c1), w.add(bridge, c2)];
  const on = (conditionsV4: string) => portmap(["0.0.0.0:8080:80"], { conditionsV4: [conditionsV4] });
  w.add(on("ip saddr 192.0.2.2"), c1, { prevResult: first });
  const { msg } = w.refused("ADD", on("ip saddr 192.0.2.2"), c2, { prevResult: second });
  assert.equal(msg, "host port 8080/tcp is already in use by container c1 (network net, interface eth0)");
  for (const other of ["ip daddr 192.0.2.2", "ip saddr 192.0.2.0/24"])
    w.add(on(other), c2, { prevResult: second });
  w.add(portmap(["8080:80"]), c2, { prevResult: second });
  w.check(on("ip saddr 192.0.2.2"), c1, first);
});

test("the same container again: its ports are the new ones", async (t) => {
  const w = await World.start(t);
  const [one] = await containers(t, w, 1);
  const { container: c1, result } = one!;
  w.add(portmap(["8080:80", "8081:81"]), c1, { prevResult: result });
  const config = portmap(["8080:81", "8080:81", "8082:80"]);
  w.add(config, c1, { prevResult: result });
  const answers = [8080, 8081, 8082].map((port) => ask(w, "10.1.0.1", port));
  assert.deepEqual(answers, ["c1 10.1.0.1", "", "c1 10.1.0.1"]);
  w.check(config, c1, result);
  const { msg } = w.refused("CHECK", portmap(["8080:80"]), c1, { prevResult: result });
  assert.equal(msg, "host port 8080/tcp leads elsewhere");
  w.del(config, c1, { prevResult: result });
  assert.deepEqual(portsLeft(w), []);
});

for (const backend of BACKENDS)
  test(`${backend}: two networks of a container do not take each other's ports`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const other = {
      ...bridge,
      name: "other",
      bridge: "br1",
      ipam: { type: "host-local", ranges: [[{ subnet: "10.2.0.0/24" }]] },
    };
    const [first, second] = [w.add(bridge, c1), w.add(other, c1, { ifName: "eth1" })];
    await answer(t, c1, 80);
    const on = (port: number, name: string) => portmap([`${port}:80`], { name, backend });
    for (const inTurn of [true, false]) {
      w.add(on(8080, "net"), c1, { prevResult: first });
      w.add(on(8081, "other"), c1, { prevResult: second, ifName: "eth1" });
      w.check(on(8080, "net"), c1, first);
      w.check(on(8081, "other"), c1, second, { ifName: "eth1" });
      // Without what ADD gave, too.
      w.del(inTurn ? on(8080, "net") : { ...on(8080, "net"), runtimeConfig: {} }, c1);
      w.check(on(8081, "other"), c1, second, { ifName: "eth1" });
      assert.deepEqual([ask(w, "10.2.0.1", 8080), ask(w, "10.2.0.1", 8081)], ["", "c1 10.2.0.1"]);
      w.del(on(8081, "other"), c1, { prevResult: second, ifName: "eth1" });
      assert.deepEqual(portsLeft(w), []);
    }
  });

for (const more of [
  { backend: "nftables" },
  { backend: "iptables" },
  { conditionsV4: ["ip saddr != 192.0.2.9"], conditionsV6: ["ip6 saddr != fd99::9"] },
])
  test(`${JSON.stringify(more)}: a port on two networks of a container: the second takes over from the first`, async (t) => {
    const w = await World.start(t);
    const [c1, c2] = [w.container("c1"), w.container("c2")];
    // By iptables the one that came last has the port of one address.
    const ports = more.backend === "iptables" ? ["8080:80"] : ["8080:80", "127.0.0.1:8081:80/udp"];
    const ranges = [[{ subnet: "10.2.0.0/24" }], [{ subnet: "fd02::/64" }]];
    const other = { ...bridge, name: "other", bridge: "br1", ipam: { type: "host-local", ranges } };
    const first = { prevResult: w.add(bridge, c1) };
    const second = { prevResult: w.add(other, c1, { ifName: "eth1" }), ifName: "eth1" };
    const stranger = { prevResult: w.add(bridge, c2) };
    await answer(t, c1, 80);
    const [on1, on2] = ["net", "other"].map((name) => portmap(ports, { ...more, name }));
    const seen = () =>
      ports.map((port) =>
        ask(w, "127.0.0.1", Number(/80\d\d/.exec(port)), /tcp|udp/.exec(port)?.[0] as Transport),
      );
    for (const order of ["first", "second"]) {
      w.add(on1, c1, first);
      w.add(on2, c1, second);
      w.check(on1, c1, first.prevResult);
      w.check(on2, c1, second.prevResult, second);
      assert.deepEqual(
        seen(),
        ports.map(() => "c1 10.1.0.1"),
      );
      // Again, as a runtime does after a restart.
      w.add(on2, c1, second);
      assert.deepEqual(
        seen(),
        ports.map(() => "c1 10.1.0.1"),
      );
      if (order === "first") {
        w.del(on1, c1, first);
        assert.deepEqual(
          seen(),
          ports.map(() => "c1 10.2.0.1"),
        );
        w.check(on2, c1, second.prevResult, second);
      } else w.del(on2, c1, second);
      if (!("conditionsV4" in more))
        assert.match(
          w.refused("ADD", on1, c2, stranger).msg,
          /^host port 8080\/tcp is already in use by container c1 /,
        );
      if (order === "first") w.del(on2, c1, second);
      else w.del(on1, c1, first);
      assert.deepEqual(portsLeft(w), []);
      assert.deepEqual(
        w.rules().filter((rule) => /(net|other)\/c\d/.test(rule)),
        [],
      );
    }
    w.add(on1, c2, stranger);
  });

test("programs of the host that serve 127.0.0.1 alone are not reached by containers", async (t) => {
  const w = await World.start(t);
  const [one, two] = await containers(t, w, 2);
  await answer(t, w, 7777);
  const c2 = two!.container;
  // It takes another machine's 127.0.0.1 for its own no more.
  c2.must("sysctl", "-q", "net.ipv4.conf.eth0.route_localnet=1");
  c2.must("ip", "link", "set", "lo", "down");
  c2.must("ip", "route", "add", "127.0.0.1", "via", "10.1.0.1");
  w.must("nft", "add table ip mine; add chain ip mine in { type nat hook prerouting priority -100; }");
  w.must("nft", "add rule ip mine in tcp dport 7778 dnat to 127.0.0.1:7777");
  const config = portmap(["8080:80"]);
  const asked = () => [
    ask(c2, "127.0.0.1", 7777, "tcp", 1),
    ask(c2, "10.1.0.1", 7777),
    // What the host's administrator leads there.
    ask(c2, "10.1.0.1", 7778),
    ask(w, "127.0.0.1", 7777),
    ask(w, "127.0.0.1", 8080),
  ];
  const rest = ["host 10.1.0.3", "host 10.1.0.3", "host 127.0.0.1", "c1 10.1.0.1"];
  w.add(config, one!.container, { prevResult: one!.result });
  assert.deepEqual(asked(), ["", ...rest]);
  w.must("nft", "flush", "chain", "ip", "cni_hostport", "input");
  assert.deepEqual(asked(), ["host 10.1.0.3", ...rest]);
  const { msg } = w.refused("CHECK", config, one!.container, { prevResult: one!.result });
  assert.equal(msg, "forwarding of ports is not in effect");
});

test("with 1,000 ports present ADD and DEL ask the kernel for no more than with one", async (t) => {
  const w = await World.start(t);
  const [c1, c2] = [w.container("c1"), w.container("c2")];
  const config = portmap(["8080:80", "10.1.0.1:8081:80/udp"]);
  // No link has this address: there are no connections, of which ADD would ask too.
  const prevResult = { ips: [{ address: "10.1.0.2/24" }, { address: "fd01::2/64" }] };
  /** How often it sends and receives, and how many bytes it is sent, for ADD and DEL. */
  const traffic = () =>
    (["ADD", "DEL"] as const).map((verb) => {
      const wrap = ["strace", "-qq", "-o", `${w.bin}/trace`, "-e", "trace=sendto,recvfrom"];
      assert.equal(w.call(verb, config, c1, { prevResult, wrap }).code, 0);
      const lines = w.read(`${w.bin}/trace`).trim().split("\n");
      const received = lines.filter((line) => line.startsWith("recvfrom"));
      return [lines.length, received.reduce((sum, line) => sum + Number(/= (\d+)$/.exec(line)?.[1] ?? 0), 0)];
    });
  traffic();
  const few = traffic();
  const many = portmap(Array.from({ length: 1000 }, (_, index) => `${10_000 + index}:80`));
  const others = { ips: [{ address: "10.1.0.3/24" }, { address: "fd01::3/64" }] };
  w.add(many, c2, { prevResult: others });
  assert.ok(w.elements().length > 2000);
  assert.deepEqual(traffic(), few);
  w.check(many, c2, others);
  w.del(many, c2, { prevResult: others });
  assert.deepEqual(portsLeft(w), []);
});

test("twenty at once, where nothing was before: each has its port, and the rules are there once", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const all = Array.from({ length: 20 }, (_, index) => w.container(`n${index}`));
  const config = (index: number) => portmap([`${8000 + index}:80`]);
  const address = (index: number) => ({
    ips: [{ address: `10.1.0.${index + 10}/24` }, { address: `fd01::${index + 10}/64` }],
  });
  const both = (verb: "ADD" | "DEL") =>
    Promise.all(
      all.map((container, index) =>
        w.start(verb, config(index), container, { prevResult: { ...prevResult, ...address(index) } }),
      ),
    );
  for (const { code, output } of await both("ADD")) assert.equal(code, 0, JSON.stringify(output));
  const rules = w.rules().filter((rule) => rule.includes("cni_hostport"));
  assert.deepEqual([rules.length, new Set(rules).size, w.elements().length], [22, 22, 100]);
  for (const [index, container] of all.entries()) w.check(config(index), container, address(index));
  for (const { code, output } of await both("DEL")) assert.equal(code, 0, JSON.stringify(output));
  assert.deepEqual(portsLeft(w), []);
});

test("two at once for one port: one gets it, and the other is told who", async (t) => {
  const w = await World.start(t);
  const both = [w.container("c1"), w.container("c2")];
  const config = portmap(["8080:80", "8081:80"]);
  for (let round = 0; round < 5; round++) {
    const adding = both.map((container, index) =>
      w.start("ADD", config, container, { prevResult: { ips: [{ address: `10.1.0.${index + 2}/24` }] } }),
    );
    const answers = await Promise.all(adding);
    const winner = answers.findIndex(({ code }) => code === 0);
    const { code, output } = answers[1 - winner]!;
    assert.equal(code, 1);
    const holder = `container c${winner + 1} (network net, interface eth0)`;
    assert.match(output.msg, /^host port 808[01]\/tcp is already in use by container c/);
    assert.ok(output.msg.endsWith(holder), output.msg);
    assert.equal(w.elements().length, 4);
    w.del(config, both[winner]!);
    assert.deepEqual(portsLeft(w), []);
  }
});

test("nothing to forward: the result passes", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const before = w.state();
  for (const config of [
    { type: "portmap" },
    { type: "portmap", runtimeConfig: {} },
    portmap([]),
    // No address of that family.
    portmap(["[fd99::1]:8080:80"]),
  ]) {
    const prevResult = { cniVersion: "1.1.0", ips: [{ address: "10.1.0.2/24" }], dns: {} };
    assert.deepEqual(w.add(config, c1, { prevResult }), { cniVersion: "1.1.0", ips: prevResult.ips });
    w.check(config, c1, prevResult);
    w.del(config, c1, { prevResult });
  }
  assert.deepEqual(w.state(), before);
});

test("addresses of other interfaces are not the container's", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const result = w.add(bridge, c1);
  await answer(t, c1, 80);
  const interfaces = [...result.interfaces, { name: "eth9", sandbox: c1.netns }];
  const ips = [
    { address: "10.9.0.1/24", interface: 0 },
    { address: "10.9.0.2/24", interface: 3 },
    ...result.ips,
  ];
  w.add(portmap(["8080:80"]), c1, { prevResult: { ...result, interfaces, ips } });
  assert.equal(ask(w, "10.1.0.1", 8080), "c1 10.1.0.1");
});

test("of two in a chain the later one counts", async (t) => {
  const w = await World.start(t);
  const far = outside(w);
  const [one] = await containers(t, w, 1);
  const { container: c1, result: prevResult } = one!;
  const configs = [
    portmap(["8080:80"]),
    portmap(["8080:80"], { conditionsV4: ["ip saddr 192.0.2.0/24"] }),
    portmap(["8080:80"], { conditionsV4: ["ip saddr != 192.0.2.0/24"] }),
  ];
  const seen = configs.map((config) => {
    w.add(config, c1, { prevResult });
    w.check(config, c1, prevResult);
    return [ask(w, "10.1.0.1", 8080), ask(far, "192.0.2.1", 8080)].map((answer) => answer !== "");
  });
  assert.deepEqual(seen, [
    [true, true],
    [false, true],
    [true, false],
  ]);
  w.add(configs[0], c1, { prevResult });
  assert.equal(ask(far, "192.0.2.1", 8080), "c1 192.0.2.2");
  for (const config of configs) w.del(config, c1, { prevResult });
  assert.deepEqual([portsLeft(w), w.rules().filter((rule) => rule.includes("net/c1"))], [[], []]);
});
