import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import { parseIp } from "../../src/address/ip.ts";
import { forwardPortsByIptables } from "../../src/net/hostports/iptables.ts";
import { checkIptablesForwards } from "../../src/net/hostports/iptables-check.ts";
import { collectIptablesForwards } from "../../src/net/hostports/iptables-gc.ts";
import { removeIptablesForwards } from "../../src/net/hostports/iptables-remove.ts";
import type { PortForwardWish } from "../../src/net/hostports/wish.ts";
import type { PortMapping } from "../../src/spec/capabilities/port-mappings.ts";
import { CniError } from "../../src/spec/errors.ts";
import { HostNamespace } from "./host-namespace.ts";

type Variant = "" | "-legacy";

const tcp8080: PortMapping = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
const udp8053: PortMapping = { hostPort: 8053, containerPort: 53, protocol: "udp" };
const sctp9000: PortMapping = { hostPort: 9000, containerPort: 90, protocol: "sctp" };
const v4 = [parseCidr("10.1.2.3/16")!];
const both = [...v4, parseCidr("fd00:1::3/64")!];

function wishOf({ netns }: HostNamespace, changes: Partial<PortForwardWish> = {}): PortForwardWish {
  return {
    netns,
    network: "net1",
    containerId: "a",
    ifName: "eth0",
    mappings: [tcp8080],
    addresses: v4,
    snat: true,
    masqAll: false,
    markMasqBit: 13,
    conditionsV4: [],
    conditionsV6: [],
    ...changes,
  };
}

function chainOf(network: string, containerId: string): string {
  const digits = createHash("sha512")
    .update(network + containerId)
    .digest("hex");
  return `CNI-DN-${digits}`.slice(0, 28);
}

/** The rules and the chains of the table nat, by the program that is a witness. */
function saved(host: HostNamespace, family: 4 | 6 = 4, variant: Variant = ""): string[] {
  const text = host.run(`${family === 4 ? "iptables" : "ip6tables"}${variant}-save`, "-t", "nat");
  return text.split("\n").filter((line) => line.startsWith("-A ") || line.startsWith(":CNI-"));
}

/** Only what belongs to containers. */
function containers(host: HostNamespace, family: 4 | 6 = 4, variant: Variant = ""): string[] {
  return saved(host, family, variant).filter((line) => line.includes("CNI-DN-"));
}

/** Without chain, as it is the same for all. */
function rulesOf(host: HostNamespace, chain: string, family: 4 | 6 = 4): string[] {
  const prefix = `-A ${chain} `;
  return saved(host, family).flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
}

const A = chainOf("net1", "a");
const comment = '-m comment --comment "dnat name: \\"net1\\" id: \\"a\\""';

test("the chains that other implementations know, by one run for each family", (t) => {
  const host = new HostNamespace(t);
  const wish = wishOf(host, { addresses: both, mappings: [tcp8080, udp8053, sctp9000] });
  forwardPortsByIptables(wish);
  assert.deepEqual(host.programs, ["iptables-restore", "ip6tables-restore"]);
  const ports = (network: string, address: string, v4Only: boolean) =>
    [
      ["tcp", 8080, 80],
      ["udp", 8053, 53],
      ["sctp", 9000, 90],
    ].flatMap(([protocol, port, to]) => [
      `-A ${A} -s ${network} -p ${protocol} -m ${protocol} --dport ${port} -j CNI-HOSTPORT-SETMARK`,
      ...(v4Only
        ? [`-A ${A} -s 127.0.0.1/32 -p ${protocol} -m ${protocol} --dport ${port} -j CNI-HOSTPORT-SETMARK`]
        : []),
      `-A ${A} -p ${protocol} -m ${protocol} --dport ${port} -j DNAT --to-destination ${address}:${to}`,
    ]);
  const expected = (rules: string[]) => [
    `:${A} - [0:0]`,
    ":CNI-HOSTPORT-DNAT - [0:0]",
    ":CNI-HOSTPORT-MASQ - [0:0]",
    ":CNI-HOSTPORT-SETMARK - [0:0]",
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    '-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
    ...rules,
    `-A CNI-HOSTPORT-DNAT -p sctp ${comment} -m multiport --dports 9000 -j ${A}`,
    `-A CNI-HOSTPORT-DNAT -p tcp ${comment} -m multiport --dports 8080 -j ${A}`,
    `-A CNI-HOSTPORT-DNAT -p udp ${comment} -m multiport --dports 8053 -j ${A}`,
    "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
    '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000',
  ];
  assert.deepEqual(saved(host), expected(ports("10.1.0.0/16", "10.1.2.3", true)));
  assert.deepEqual(saved(host, 6), expected(ports("fd00:1::/64", "[fd00:1::3]", false)));
  checkIptablesForwards(wish);
});

test("options change the rules", (t) => {
  const dnat = "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.2.3:80";
  const marked = "-p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK";
  const table: [Partial<PortForwardWish>, ports: string[], others: RegExp][] = [
    [{ snat: false }, [dnat], /^((?!SETMARK|MASQ).)*$/s],
    [{ masqAll: true }, [marked, dnat], /-A CNI-HOSTPORT-MASQ/],
    [
      { markMasqBit: 31 },
      [`-s 10.1.0.0/16 ${marked}`, `-s 127.0.0.1/32 ${marked}`, dnat],
      /--mark 0x80000000\/0x80000000 -j MASQUERADE.*--set-xmark 0x80000000\/0x80000000/s,
    ],
    [
      { snat: false, conditionsV4: ["-s", "192.0.2.0/24"] },
      [dnat],
      /-A CNI-HOSTPORT-DNAT -s 192\.0\.2\.0\/24 -p tcp/,
    ],
    [
      { snat: false, conditionsV4: ["!", "-i", "lo", "-m", "comment", "--comment", `it's "so"`] },
      [dnat],
      /DNAT ! -i lo .*--comment "it'?\\?'?s \\"so\\""/,
    ],
    [{ snat: false, conditionsV4: [""], conditionsV6: ["-s", "fd00::/8"] }, [dnat], /DNAT -p tcp/],
    [
      { snat: false, mappings: [{ ...tcp8080, hostIP: parseIp("192.0.2.1") }] },
      [`-d 192.0.2.1/32 ${dnat}`],
      /DNAT -p tcp/,
    ],
    [{ snat: false, mappings: [{ ...tcp8080, hostIP: parseIp("0.0.0.0") }] }, [dnat], /DNAT -p tcp/],
    [{ snat: false, mappings: [{ ...tcp8080, hostIP: parseIp("fd00::1") }] }, [], /^$/],
    [{ addresses: [] }, [], /^$/],
    [{ mappings: [] }, [], /^$/],
  ];
  for (const [changes, ports, others] of table) {
    const host = new HostNamespace(t);
    const wish = wishOf(host, changes);
    forwardPortsByIptables(wish);
    assert.deepEqual(rulesOf(host, A), ports, JSON.stringify(Object.keys(changes)));
    assert.match(saved(host).join("\n"), others);
    checkIptablesForwards(wish);
    // Once more changes nothing.
    const before = saved(host);
    forwardPortsByIptables(wish);
    assert.deepEqual(saved(host), before);
    removeIptablesForwards(host.netns, wish);
    assert.deepEqual(containers(host), []);
  }
});

test("externalSetMarkChain: it marks, and must be there", (t) => {
  const host = new HostNamespace(t);
  const wish = wishOf(host, { externalSetMarkChain: "KUBE-MARK-MASQ" });
  assert.throws(
    () => forwardPortsByIptables(wish),
    (error) => error instanceof CniError && /KUBE-MARK-MASQ/.test(error.details),
  );
  assert.deepEqual(saved(host), []);
  host.run("iptables", "-t", "nat", "-N", "KUBE-MARK-MASQ");
  forwardPortsByIptables(wish);
  assert.equal(rulesOf(host, A)[0], "-s 10.1.0.0/16 -p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ");
  assert.ok(!saved(host).some((line) => /CNI-HOSTPORT-(SETMARK|MASQ)/.test(line)));
});

test("a rule has at most 15 ports, and the comment at most 255 characters", (t) => {
  const host = new HostNamespace(t);
  const mappings = Array.from({ length: 33 }, (_, index) => ({ ...tcp8080, hostPort: 1000 + index }));
  const wish = wishOf(host, { mappings, containerId: "c".repeat(300) });
  forwardPortsByIptables(wish);
  const lists = rulesOf(host, "CNI-HOSTPORT-DNAT").map((line) => /--dports (\S+)/.exec(line)![1]!.split(","));
  assert.deepEqual(
    lists.map(({ length }) => length),
    [15, 15, 3],
  );
  assert.deepEqual(
    lists.flat().map(Number),
    mappings.map(({ hostPort }) => hostPort),
  );
  checkIptablesForwards(wish);
  collectIptablesForwards(host.netns, "net1", [wish]);
  checkIptablesForwards(wish);
  collectIptablesForwards(host.netns, "net1", []);
  assert.deepEqual(containers(host), []);
});

test("what masquerades marked packets comes first in POSTROUTING, and what is common is mended", (t) => {
  const host = new HostNamespace(t);
  host.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "10.0.0.0/8", "-j", "MASQUERADE");
  forwardPortsByIptables(wishOf(host));
  const whole = saved(host);
  assert.match(whole.find((line) => line.startsWith("-A POSTROUTING"))!, /CNI-HOSTPORT-MASQ$/);
  for (const [table, rule] of [
    ["PREROUTING", "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"],
    ["OUTPUT", "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"],
    ["CNI-HOSTPORT-MASQ", "-m mark --mark 0x2000/0x2000 -j MASQUERADE"],
  ] as const) {
    host.run("iptables", "-t", "nat", "-D", table, ...rule.split(" "));
    assert.throws(() => checkIptablesForwards(wishOf(host)), CniError);
    const b = wishOf(host, { containerId: "b", mappings: [udp8053] });
    forwardPortsByIptables(b);
    removeIptablesForwards(host.netns, b);
    assert.deepEqual(saved(host), whole);
  }
});

test("a port that another container has is refused, and nothing is left", (t) => {
  const host = new HostNamespace(t);
  const here = { ...tcp8080, hostIP: parseIp("192.0.2.1")! };
  const there = { ...tcp8080, hostIP: parseIp("192.0.2.2")! };
  forwardPortsByIptables(wishOf(host, { containerId: "b", mappings: [udp8053, tcp8080] }));
  forwardPortsByIptables(wishOf(host, { containerId: "c", mappings: [here] }));
  const before = [saved(host), saved(host, 6)];
  for (const [mapping, addresses, port, holder] of [
    [tcp8080, v4, "8080", "b"],
    [tcp8080, both, "8080", "b"],
    [here, v4, "192.0.2.1:8080", "c"],
  ] as const) {
    const wish = wishOf(host, { mappings: [{ ...tcp8080, hostPort: 7 }, mapping], addresses });
    assert.throws(
      () => forwardPortsByIptables(wish),
      (error) =>
        error instanceof CniError &&
        error.code === 100 &&
        error.message === `host port ${port}/tcp is already in use by container ${holder} (network net1)` &&
        error.details.includes(chainOf("net1", holder)),
    );
    assert.deepEqual([saved(host), saved(host, 6)], before);
  }
  // Another protocol, another address, other conditions, another family.
  for (const changes of [
    { mappings: [{ ...tcp8080, protocol: "udp" as const }] },
    { mappings: [there] },
    { conditionsV4: ["-s", "192.0.2.0/24"] },
    { addresses: both.slice(1) },
  ]) {
    const wish = wishOf(host, changes);
    forwardPortsByIptables(wish);
    removeIptablesForwards(host.netns, wish);
    assert.deepEqual(saved(host), before[0]);
  }
});

test("a port of one address of the host comes before that of all, whichever was first", (t) => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const host = new HostNamespace(t);
    const wishes = [
      wishOf(host),
      wishOf(host, { containerId: "b", mappings: [{ ...tcp8080, hostIP: parseIp("192.0.2.1") }] }),
    ];
    for (const index of order) forwardPortsByIptables(wishes[index]!);
    assert.deepEqual(
      rulesOf(host, "CNI-HOSTPORT-DNAT").map((line) => line.slice(-28)),
      [chainOf("net1", "b"), A],
    );
  }
});

test("interfaces and networks of a container share what they must, and take nothing from each other", (t) => {
  const host = new HostNamespace(t);
  const eth0 = wishOf(host, { mappings: [tcp8080, udp8053] });
  const eth1 = wishOf(host, { ifName: "eth1", mappings: [sctp9000], addresses: [parseCidr("10.1.2.4/16")!] });
  const other = wishOf(host, { network: "net2", addresses: [parseCidr("10.2.2.3/16")!] });
  forwardPortsByIptables(eth0);
  const alone = saved(host);
  forwardPortsByIptables(other);
  checkIptablesForwards(eth0);
  forwardPortsByIptables(eth1);
  for (const wish of [eth0, eth1, other]) checkIptablesForwards(wish);
  removeIptablesForwards(host.netns, eth0, eth0.addresses);
  for (const wish of [eth1, other]) checkIptablesForwards(wish);
  assert.ok(!containers(host).some((line) => line.includes("10.1.2.3") || /dports? 8053/.test(line)));
  removeIptablesForwards(host.netns, eth1, eth1.addresses);
  removeIptablesForwards(host.netns, eth1, eth1.addresses);
  checkIptablesForwards(other);
  removeIptablesForwards(host.netns, other);
  assert.deepEqual(containers(host), []);
  // The same ports with new addresses: the last ADD counts.
  forwardPortsByIptables({ ...eth0, addresses: eth1.addresses });
  forwardPortsByIptables(eth0);
  assert.deepEqual(saved(host), alone);
});

test("removing where nothing ever was runs no program and makes nothing", (t) => {
  const host = new HostNamespace(t);
  removeIptablesForwards(host.netns, wishOf(host), both);
  collectIptablesForwards(host.netns, "net1", []);
  assert.deepEqual([host.ruleset(), host.programs], [[], []]);
});

test("rules go without a program, those of each container alone", (t) => {
  const host = new HostNamespace(t);
  const a = wishOf(host, { addresses: both });
  const b = wishOf(host, { containerId: "b", addresses: both, mappings: [udp8053] });
  forwardPortsByIptables(a);
  const alone = [saved(host), saved(host, 6)];
  forwardPortsByIptables(b);
  host.programs.length = 0;
  removeIptablesForwards(host.netns, b, both);
  removeIptablesForwards(host.netns, b);
  assert.deepEqual([saved(host), saved(host, 6)], alone);
  removeIptablesForwards(host.netns, a);
  assert.deepEqual([containers(host), containers(host, 6), host.programs], [[], [], []]);
});

test("IPv4 is undone when IPv6 fails", (t) => {
  const host = new HostNamespace(t);
  const failing = host.netns.host;
  const run = failing.run.bind(failing);
  failing.run = (path, options) =>
    path.includes("ip6tables-restore")
      ? { exitCode: 4, signal: 0, stdout: "", stderr: "no" }
      : run(path, options);
  assert.throws(
    () => forwardPortsByIptables(wishOf(host, { addresses: both })),
    (error) => error instanceof CniError && /ip6tables-restore failed with exit code 4$/.test(error.message),
  );
  assert.deepEqual(containers(host), []);
});

test("CHECK names the rule that is missing", (t) => {
  const host = new HostNamespace(t);
  const wish = wishOf(host, { addresses: both, conditionsV4: ["-s", "192.0.2.0/24"] });
  for (const [program, ...rule] of [
    ["iptables", "PREROUTING", "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"],
    ["ip6tables", "OUTPUT", "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"],
    [
      "iptables",
      "CNI-HOSTPORT-SETMARK",
      `-m comment --comment CNI\u00a0portfwd\u00a0masquerade\u00a0mark -j MARK --set-xmark 0x2000/0x2000`,
    ],
    ["iptables", A, "-s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK"],
    ["ip6tables", A, "-p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:1::3]:80"],
  ] as const) {
    forwardPortsByIptables(wish);
    checkIptablesForwards(wish);
    const [chain, words] = rule;
    host.run(
      program!,
      "-t",
      "nat",
      "-D",
      chain!,
      ...words!.split(" ").map((word) => word.replaceAll("\u00a0", " ")),
    );
    assert.throws(
      () => checkIptablesForwards(wish),
      (error) =>
        error instanceof CniError &&
        error.code === 100 &&
        error.message === "a port forwarding rule is missing" &&
        error.details.startsWith(`${program} -t nat -A ${chain} `),
    );
  }
  forwardPortsByIptables(wish);
  assert.throws(() => checkIptablesForwards({ ...wish, conditionsV4: ["-s", "192.0.2.0/25"] }), CniError);
  assert.throws(() => checkIptablesForwards({ ...wish, addresses: [parseCidr("10.1.2.4/16")!] }), CniError);
  assert.throws(
    () => checkIptablesForwards({ ...wish, conditionsV4: ["--nonsense"] }),
    /failed with exit code/,
  );
});

test("GC removes what is stale in this network alone", (t) => {
  const host = new HostNamespace(t);
  let hostPort = 1000;
  for (const network of ["net1", "net1x"])
    for (const containerId of ["a", "b", "c"])
      forwardPortsByIptables(
        wishOf(host, {
          network,
          containerId,
          addresses: both,
          mappings: [{ ...tcp8080, hostPort: hostPort++ }],
        }),
      );
  const left = (family: 4 | 6) =>
    rulesOf(host, "CNI-HOSTPORT-DNAT", family).map((line) =>
      /name: \\"(\w+)\\" id: \\"(\w+)\\"/.exec(line)!.slice(1).join(" "),
    );
  collectIptablesForwards(host.netns, "net1", [{ containerId: "b" }]);
  for (const family of [4, 6] as const) {
    assert.deepEqual(left(family), ["net1 b", "net1x a", "net1x b", "net1x c"]);
    assert.equal(saved(host, family).filter((line) => line.startsWith(":CNI-DN-")).length, 4);
  }
  collectIptablesForwards(host.netns, "net1x", []);
  assert.deepEqual(left(4), ["net1 b"]);
});

test("iptables on ip_tables: added, checked and removed too", (t) => {
  const host = new HostNamespace(t);
  try {
    host.run("iptables-legacy", "-t", "nat", "-L");
  } catch {
    t.skip("this kernel has no ip_tables");
    return;
  }
  // As on a machine whose administrator chose it.
  const own = host.netns.host;
  const run = own.run.bind(own);
  own.run = (path, options) => {
    const legacy = path.replace(/tables(-legacy)?-/, "tables-legacy-");
    return run(legacy, { ...options, argv: [legacy, ...options.argv.slice(1)] });
  };
  const save = (family: 4 | 6) => containers(host, family, "-legacy");
  const a = wishOf(host, { addresses: both });
  const eth1 = wishOf(host, { ifName: "eth1", mappings: [udp8053], addresses: [parseCidr("10.1.2.4/16")!] });
  const b = wishOf(host, { containerId: "b", mappings: [sctp9000] });
  for (const wish of [a, eth1, b]) forwardPortsByIptables(wish);
  const before = save(4);
  forwardPortsByIptables(a);
  assert.deepEqual([...save(4)].sort(), [...before].sort());
  for (const wish of [a, eth1, b]) checkIptablesForwards(wish);
  assert.throws(() => forwardPortsByIptables({ ...a, containerId: "d" }), /already in use by container a /);
  removeIptablesForwards(host.netns, a, a.addresses);
  for (const wish of [eth1, b]) checkIptablesForwards(wish);
  assert.deepEqual(save(6), []);
  collectIptablesForwards(host.netns, "net1", [{ containerId: "b" }]);
  checkIptablesForwards(b);
  assert.ok(!save(4).some((line) => line.includes(A)));
  removeIptablesForwards(host.netns, b);
  assert.deepEqual(save(4), []);
  assert.deepEqual(host.ruleset(), []);
});

test("two processes may add and remove at once", async (t) => {
  const host = new HostNamespace(t);
  forwardPortsByIptables(wishOf(host));
  const script = `
    for i in $(seq 20); do
      iptables -w -t nat -A CNI-HOSTPORT-DNAT -p tcp --dport 9 -j ACCEPT
      iptables -w -t nat -D CNI-HOSTPORT-DNAT -p tcp --dport 9 -j ACCEPT
    done`;
  const other = spawn("ip", ["netns", "exec", host.name, "sh", "-c", script], { stdio: "ignore" });
  const ended = once(other, "close");
  let count = 0;
  for (; other.exitCode === null; count++) {
    const wish = wishOf(host, { containerId: `c${count}`, mappings: [udp8053] });
    forwardPortsByIptables(wish);
    removeIptablesForwards(host.netns, wish);
    await new Promise(setImmediate);
  }
  await ended;
  assert.ok(count > 0);
  checkIptablesForwards(wishOf(host));
  assert.equal(containers(host).length, 5);
});
