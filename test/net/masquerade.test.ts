import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { type Cidr, parseCidr } from "../../src/address/cidr.ts";
import { errno } from "../../src/host/errno.ts";
import { Host } from "../../src/host/host.ts";
import { checkMasquerade } from "../../src/net/masquerade/check.ts";
import { collectMasquerade } from "../../src/net/masquerade/gc.ts";
import { masquerade, removeMasquerade } from "../../src/net/masquerade/masquerade.ts";
import type { MasqueradeWish } from "../../src/net/masquerade/owner.ts";
import { Namespace } from "../../src/net/namespace.ts";
import { CniError } from "../../src/spec/errors.ts";
import { TestNamespace } from "../netlink/namespaces.ts";
import { HostNamespace } from "./host-namespace.ts";

type Backend = "nftables" | "iptables";
const backends: Backend[] = ["nftables", "iptables"];

const cidr = (text: string): Cidr => parseCidr(text)!;
const sha512 = (text: string) => createHash("sha512").update(text).digest("hex");

function wishOf({ netns }: HostNamespace, changes: Partial<MasqueradeWish> = {}): MasqueradeWish {
  const addresses = [cidr("10.1.2.3/16"), cidr("fd00:1::3/64")];
  return { netns, network: "net1", containerId: "container-a", ifName: "eth0", addresses, ...changes };
}

/** The rules of the chain for addresses. */
function checks(host: HostNamespace): string[] {
  return host.ruleset().filter((line) => line.includes(" masquerade comment "));
}

function iptables(host: HostNamespace, family: 4 | 6 = 4): string[] {
  const text = host.run(family === 4 ? "iptables-save" : "ip6tables-save", "-t", "nat");
  return text.split("\n").filter((line) => line.startsWith("-A ") || line.startsWith(":CNI-"));
}

/** `container` and `peer` behind `host`, which routes between them. */
function threeNamespaces(t: TestContext) {
  const host = new HostNamespace(t);
  const container = new TestNamespace(t);
  const peer = new TestNamespace(t);
  for (const [index, end] of [container, peer].entries()) {
    host.run("ip", "link", "add", `veth${index}`, "type", "veth", "peer", "name", "eth0", "netns", end.name);
    host.run("ip", "link", "set", `veth${index}`, "up");
    end.run("ip", "link", "set", "eth0", "up");
  }
  const address = (ns: TestNamespace, link: string, ...all: string[]) => {
    for (const one of all)
      ns.run("ip", "address", "add", one, "dev", link, ...(one.includes(":") ? ["nodad"] : []));
  };
  address(host, "veth0", "10.1.2.1/24", "fd00:1::1/112");
  address(host, "veth1", "192.0.2.1/24", "10.1.9.1/24", "fd00:2::1/64", "fd00:1::9:1/112");
  address(container, "eth0", "10.1.2.3/24", "fd00:1::3/112");
  address(peer, "eth0", "192.0.2.2/24", "10.1.9.2/24", "fd00:2::2/64", "fd00:1::9:2/112");
  container.run("ip", "route", "add", "default", "via", "10.1.2.1");
  container.run("ip", "-6", "route", "add", "default", "via", "fd00:1::1");
  peer.run("ip", "route", "add", "default", "via", "192.0.2.1");
  peer.run("ip", "-6", "route", "add", "default", "via", "fd00:2::1");
  host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  return { host, container, peer };
}

const ECHO = `
  const socket = require("node:dgram").createSocket(process.argv[1].includes(":") ? "udp6" : "udp4");
  socket.once("message", (_, { address }) => { console.log(address); socket.close(); });
  socket.bind(9999, process.argv[1], () => console.log("ready"));`;

/** The source address of a UDP datagram as it arrives at an address of `peer`. */
async function sourceSeen(container: TestNamespace, peer: TestNamespace, to: string): Promise<string> {
  const server = spawn("ip", ["netns", "exec", peer.name, process.execPath, "-e", ECHO, to]);
  const lines: string[] = [];
  server.stdout.setEncoding("utf8").on("data", (text: string) => {
    lines.push(...text.trim().split("\n"));
    if (text.startsWith("ready")) container.run("bash", "-c", `echo x > /dev/udp/${to}/9999`);
  });
  // Give up rather than wait for ever for a datagram that was lost.
  const timer = setTimeout(() => server.kill(), 20_000);
  await once(server, "close");
  clearTimeout(timer);
  return lines[1] ?? "nothing";
}

for (const backend of backends)
  test(`a peer sees the host's address, and within the network the container's own: ${backend}`, async (t) => {
    const { host, container, peer } = threeNamespaces(t);
    const seen = async () => [
      await sourceSeen(container, peer, "192.0.2.2"),
      await sourceSeen(container, peer, "10.1.9.2"),
      await sourceSeen(container, peer, "fd00:2::2"),
      await sourceSeen(container, peer, "fd00:1::9:2"),
    ];
    const plain = ["10.1.2.3", "10.1.2.3", "fd00:1::3", "fd00:1::3"];
    assert.deepEqual(await seen(), plain);
    const done = masquerade(wishOf(host, { backend }));
    assert.deepEqual(await seen(), ["192.0.2.1", "10.1.2.3", "fd00:2::1", "fd00:1::3"]);
    // Connections that were translated go on so; new ones have new ports.
    done.remove();
    assert.deepEqual(await seen(), plain);
  });

test("nftables: the table that other implementations know", (t) => {
  const host = new HostNamespace(t);
  masquerade(wishOf(host));
  const comment = `${sha512("net1").slice(0, 16)}-${sha512("eth0:container-a").slice(0, 16)}, net: net1, if: eth0, id: container-a`;
  assert.deepEqual(
    host.ruleset().filter((line) => !line.startsWith("comment")),
    [
      "table inet cni_plugins_masquerade {",
      "chain masq_checks {",
      `ip saddr 10.1.2.3 ip daddr != 10.1.0.0/16 masquerade comment "${comment}"`,
      `ip6 saddr fd00:1::3 ip6 daddr != fd00:1::/64 masquerade comment "${comment}"`,
      "chain postrouting {",
      "type nat hook postrouting priority srcnat; policy accept;",
      "ip daddr 224.0.0.0/4 return",
      "ip6 daddr ff00::/8 return",
      "goto masq_checks",
    ],
  );
  assert.deepEqual(host.programs, []);
});

test("nftables: a comment ends where nft's comments must end, and its owner is still known", (t) => {
  const host = new HostNamespace(t);
  const long = wishOf(host, { containerId: "a".repeat(200), addresses: [cidr("10.1.2.3/16")] });
  masquerade(long);
  masquerade({ ...long, containerId: "a".repeat(199) });
  masquerade({ ...long, ifName: 'e"thé' });
  const comments = checks(host).map((line) => /comment "(.*)"/.exec(line)![1]!);
  assert.deepEqual(
    comments.map((comment) => Buffer.from(comment).length),
    [128, 128, 128],
  );
  assert.ok(comments[2]!.includes(", if: ethé, id: aaa"), comments[2]);
  removeMasquerade(host.netns, long);
  assert.deepEqual(
    checks(host).map((line) => /comment "(.*)"/.exec(line)![1]!),
    comments.slice(1),
  );
});

test("nftables: what leads to the rules is mended, and made but once", (t) => {
  const host = new HostNamespace(t);
  const rulesOf = (name: string) => host.ruleset().slice(host.ruleset().indexOf(`chain ${name} {`) + 2);
  const wish = wishOf(host, { addresses: [cidr("10.1.2.3/16")] });
  masquerade(wish);
  const whole = rulesOf("postrouting");
  masquerade({ ...wish, containerId: "b" });
  assert.deepEqual(rulesOf("postrouting"), whole);
  for (const damage of [
    "flush chain inet cni_plugins_masquerade postrouting",
    "flush ruleset",
    "flush table inet cni_plugins_masquerade",
  ]) {
    host.run("nft", damage);
    masquerade({ ...wish, containerId: "c" });
    assert.deepEqual(rulesOf("postrouting"), whole, damage);
  }
  assert.equal(checks(host).length, 1);
});

test("nftables: rules of each owner go alone; table and chains stay", (t) => {
  const host = new HostNamespace(t);
  const owners = [{}, { ifName: "eth1" }, { containerId: "container-b" }, { network: "net2" }];
  for (const owner of owners) masquerade(wishOf(host, owner));
  // Once more: the runtime may have lost the first result.
  masquerade(wishOf(host));
  for (const [index, owner] of owners.entries()) {
    removeMasquerade(host.netns, wishOf(host, owner));
    assert.equal(checks(host).length, 2 * (owners.length - 1 - index));
    removeMasquerade(host.netns, wishOf(host, owner));
  }
  assert.ok(host.ruleset().includes("goto masq_checks"));
  assert.deepEqual(host.programs, []);
});

test("removing where nothing ever was runs no program and makes nothing", (t) => {
  const host = new HostNamespace(t);
  removeMasquerade(host.netns, wishOf(host));
  collectMasquerade(host.netns, "net1", []);
  assert.deepEqual(host.ruleset(), []);
  assert.deepEqual(host.programs, []);
});

test("nftables: rules that nft made for another implementation are removed", (t) => {
  const host = new HostNamespace(t);
  const comment = `${sha512("net1").slice(0, 16)}-${sha512("eth0:container-a").slice(0, 16)}, net: net1, if: eth0, id: container-a`;
  host.load(`
    add table inet cni_plugins_masquerade { comment "Masquerading for others" ; }
    add chain inet cni_plugins_masquerade masq_checks { comment "of others" ; }
    add chain inet cni_plugins_masquerade postrouting { type nat hook postrouting priority 100 ; }
    add rule inet cni_plugins_masquerade postrouting ip daddr == 224.0.0.0/4 return
    add rule inet cni_plugins_masquerade postrouting ip6 daddr == ff00::/8 return
    add rule inet cni_plugins_masquerade postrouting goto masq_checks
    add rule inet cni_plugins_masquerade masq_checks ip saddr == 10.1.2.3 ip daddr != 10.1.0.0/16 masquerade comment "${comment}"
    add rule inet cni_plugins_masquerade masq_checks ip6 saddr == fd00:1::3 ip6 daddr != fd00:1::/64 masquerade comment "${comment}"
  `);
  const before = host.ruleset();
  checkMasquerade(wishOf(host));
  masquerade(wishOf(host, { containerId: "container-b" }));
  removeMasquerade(host.netns, wishOf(host, { containerId: "container-b" }));
  assert.deepEqual(host.ruleset(), before);
  removeMasquerade(host.netns, wishOf(host));
  assert.deepEqual(
    host.ruleset(),
    before.filter((line) => !line.includes(comment)),
  );
});

test("iptables: the chains that other implementations know, by one run for each family", (t) => {
  const host = new HostNamespace(t);
  masquerade(wishOf(host, { backend: "iptables" }));
  assert.deepEqual(host.programs, ["iptables-restore", "ip6tables-restore"]);
  const chain = `CNI-${sha512("net1container-a")}`.slice(0, 28);
  const comment = '-m comment --comment "name: \\"net1\\" id: \\"container-a\\""';
  assert.deepEqual(iptables(host), [
    `:${chain} - [0:0]`,
    `-A POSTROUTING -s 10.1.2.3/32 ${comment} -j ${chain}`,
    `-A ${chain} -d 10.1.0.0/16 ${comment} -j ACCEPT`,
    `-A ${chain} ! -d 224.0.0.0/4 ${comment} -j MASQUERADE`,
  ]);
  assert.deepEqual(iptables(host, 6), [
    `:${chain} - [0:0]`,
    `-A POSTROUTING -s fd00:1::3/128 ${comment} -j ${chain}`,
    `-A ${chain} -d fd00:1::/64 ${comment} -j ACCEPT`,
    `-A ${chain} ! -d ff00::/8 ${comment} -j MASQUERADE`,
  ]);
});

test("iptables: two interfaces of a container share a chain until the last one goes", (t) => {
  const host = new HostNamespace(t);
  const eth0 = wishOf(host, { backend: "iptables", addresses: [cidr("10.1.2.3/16")] });
  const eth1 = { ...eth0, ifName: "eth1", addresses: [cidr("10.2.2.3/20")] };
  masquerade(eth0);
  const alone = iptables(host);
  masquerade(eth0);
  assert.deepEqual(iptables(host), alone);
  masquerade(eth1);
  const targets = iptables(host)
    .filter((line) => line.startsWith("-A CNI-"))
    .map((line) => line.slice(line.indexOf(" -j ") + 4));
  assert.deepEqual(targets, ["ACCEPT", "ACCEPT", "MASQUERADE"]);
  removeMasquerade(host.netns, eth0, eth0.addresses);
  assert.deepEqual(
    iptables(host)
      .filter((line) => line.startsWith("-A POSTROUTING"))
      .map((line) => line.split(" ")[3]),
    ["10.2.2.3/32"],
  );
  removeMasquerade(host.netns, eth1, eth1.addresses);
  assert.deepEqual(iptables(host), []);
});

test("iptables: rules go without a program, also when the addresses are not known", (t) => {
  const host = new HostNamespace(t);
  masquerade(wishOf(host, { backend: "iptables" }));
  masquerade(
    wishOf(host, { backend: "iptables", containerId: "container-b", addresses: [cidr("10.1.2.4/16")] }),
  );
  host.programs.length = 0;
  removeMasquerade(host.netns, wishOf(host));
  assert.deepEqual(host.programs, []);
  assert.deepEqual(
    iptables(host)
      .filter((line) => line.startsWith("-A POSTROUTING"))
      .map((line) => line.split(" ")[3]),
    ["10.1.2.4/32"],
  );
  assert.deepEqual(iptables(host, 6), []);
  // What iptables itself then does with the table.
  host.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "10.9.9.9", "-j", "ACCEPT");
});

test("iptables: rules as older versions wrote them, by the network, go too", (t) => {
  for (const address of ["10.1.2.3/16", "10.1.2.3/20"]) {
    const host = new HostNamespace(t);
    const chain = `CNI-${sha512("net1container-a")}`.slice(0, 28);
    host.run("iptables", "-t", "nat", "-N", chain);
    host.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", address, "-j", chain);
    removeMasquerade(host.netns, wishOf(host), [cidr(address)]);
    assert.deepEqual(iptables(host), [], address);
  }
});

test("iptables on ip_tables: removed too, and only there programs are run", (t) => {
  const host = new HostNamespace(t);
  const chain = `CNI-${sha512("net1container-a")}`.slice(0, 28);
  const save = () =>
    host
      .run("iptables-legacy-save", "-t", "nat")
      .split("\n")
      .filter((line) => /^-A|^:CNI/.test(line));
  try {
    host.run("iptables-legacy", "-t", "nat", "-N", chain);
  } catch {
    t.skip("this kernel has no ip_tables");
    return;
  }
  const comment = ["-m", "comment", "--comment", 'name: "net1" id: "container-a"'];
  host.run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "10.1.2.3", ...comment, "-j", chain);
  host.run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "10.1.2.4", ...comment, "-j", chain);
  host.run("iptables-legacy", "-t", "nat", "-A", chain, "-j", "MASQUERADE");
  removeMasquerade(host.netns, wishOf(host), [cidr("10.1.2.3/16")]);
  assert.deepEqual(
    save()
      .filter((line) => line.startsWith("-A POSTROUTING"))
      .map((line) => line.split(" ")[3]),
    ["10.1.2.4/32"],
  );
  collectMasquerade(host.netns, "net1", [{ containerId: "container-a", ifName: "eth0" }]);
  assert.equal(save().length, 3);
  collectMasquerade(host.netns, "net1", []);
  assert.deepEqual(save(), []);
  assert.ok(
    host.programs.every((program) => program.startsWith("iptables-legacy-")),
    host.programs.join(),
  );
});

test("a kernel without nftables has nothing to remove, and ADD says what to do", (t) => {
  const host = new HostNamespace(t);
  const { sys } = host.netns.host;
  // As the kernel answers for a subsystem of nfnetlink that is not there.
  const send = (fd: number, data: Uint8Array, timeoutMs: number) => {
    const other = data.slice();
    if (other[5] === 10) other[5] = 13;
    return sys.send(fd, other, timeoutMs);
  };
  const lame = { ...sys, send };
  for (const table of [{ ...sys, socket: () => -errno.EPROTONOSUPPORT }, lame]) {
    const netns = new Namespace(new Host(table));
    const wish = wishOf(host, { netns });
    if (table === lame) t.after(() => netns.netfilter.close());
    assert.throws(
      () => masquerade(wish),
      (error) => error instanceof CniError && error.message === "this kernel has no nftables",
    );
    removeMasquerade(netns, wish);
    collectMasquerade(netns, "net1", []);
  }
});

for (const backend of backends) {
  test(`CHECK finds what is missing: ${backend}`, (t) => {
    const host = new HostNamespace(t);
    const wish = wishOf(host, { backend });
    masquerade(wish);
    checkMasquerade(wish);
    const other = { ...wish, addresses: [...wish.addresses, cidr("10.1.2.4/16")] };
    assert.throws(() => checkMasquerade(other), CniError);
    assert.throws(() => checkMasquerade({ ...wish, containerId: "container-b" }), CniError);
    assert.throws(() => checkMasquerade({ ...wish, addresses: [cidr("10.1.2.3/24")] }), CniError);
    const lead =
      backend === "nftables" ? "chain inet cni_plugins_masquerade postrouting" : "chain ip nat POSTROUTING";
    host.run("nft", `flush ${lead}`);
    assert.throws(() => checkMasquerade(wish), CniError);
  });

  test(`GC removes what is stale in this network alone: ${backend}`, (t) => {
    const host = new HostNamespace(t);
    const containers = ["a", "b", "c"];
    const addresses = [cidr("10.1.2.3/16"), cidr("fd00:1::3/64")];
    for (const network of ["net1", "net1x"])
      for (const containerId of containers)
        masquerade(wishOf(host, { backend, network, containerId, addresses }));
    const left = () => {
      const text = backend === "nftables" ? checks(host) : [...iptables(host), ...iptables(host, 6)];
      const found = text.flatMap(
        (line) =>
          /net: (\w+), .* id: (\w+)|POSTROUTING.*name: \\"(\w+)\\" id: \\"(\w+)\\"/.exec(line)?.slice(1) ??
          [],
      );
      const words = found.filter((word) => word !== undefined);
      return [
        ...new Set(words.flatMap((word, index) => (index % 2 === 0 ? [`${word} ${words[index + 1]}`] : []))),
      ].sort();
    };
    assert.equal(left().length, 6);
    collectMasquerade(host.netns, "net1", [{ containerId: "b", ifName: "eth0" }]);
    assert.deepEqual(left(), ["net1 b", "net1x a", "net1x b", "net1x c"]);
    collectMasquerade(host.netns, "net1x", []);
    assert.deepEqual(left(), ["net1 b"]);
  });
}

test("two processes may add and remove at once", async (t) => {
  const host = new HostNamespace(t);
  masquerade(wishOf(host));
  const script = `
    for i in $(seq 30); do
      nft add rule inet cni_plugins_masquerade masq_checks accept
      nft -a list chain inet cni_plugins_masquerade masq_checks | sed -n 's/.*accept # handle /delete rule inet cni_plugins_masquerade masq_checks handle /p' | nft -f -
    done`;
  const other = spawn("ip", ["netns", "exec", host.name, "bash", "-c", script], { stdio: "ignore" });
  const ended = once(other, "close");
  let count = 0;
  for (; other.exitCode === null; count++) {
    const wish = wishOf(host, { containerId: `c${count}` });
    masquerade(wish);
    removeMasquerade(host.netns, wish);
    await new Promise(setImmediate);
  }
  await ended;
  assert.ok(count > 0);
  assert.equal(checks(host).length, 2);
});
