import assert from "node:assert/strict";
import { release } from "node:os";
import { type TestContext, test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import { parseIp } from "../../src/address/ip.ts";
import { errno } from "../../src/host/errno.ts";
import { Host } from "../../src/host/host.ts";
import type { Sys } from "../../src/host/sys.ts";
import { forgetConnections, forgetEarlierConnections } from "../../src/net/conntrack.ts";
import { forwardsByFamily } from "../../src/net/hostports/wish.ts";
import { Namespace } from "../../src/net/namespace.ts";
import type { PortMapping } from "../../src/spec/capabilities/port-mappings.ts";
import { HostNamespace } from "./host-namespace.ts";

const addresses = [parseCidr("10.1.2.3/16")!, parseCidr("fd01::3/64")!];
const udp8053: PortMapping = { hostPort: 8053, containerPort: 53, protocol: "udp" };
const tcp8080: PortMapping = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
// The program translates no port of SCTP.
const sctp9000: PortMapping = { hostPort: 9000, containerPort: 9000, protocol: "sctp" };

/** What `conntrack` is to make besides the client, whose port tells the connections from each other. */
type Connection = readonly [options: string, isForgotten: boolean];

/** What the program prints, the number of entries included, which it says on stderr. */
function conntrack(host: HostNamespace, options: string): string {
  return host.run("sh", "-c", `conntrack ${options} 2>&1`);
}

/** A host whose addresses are 10.9.9.1 and fd09::1, and what it tracks. */
function hostWith(t: TestContext, connections: readonly Connection[]): HostNamespace {
  const host = new HostNamespace(t);
  host.run("ip", "link", "set", "lo", "up");
  host.run("ip", "address", "add", "10.9.9.1/32", "dev", "lo");
  host.run("ip", "address", "add", "fd09::1/128", "dev", "lo");
  for (const [index, [options]] of connections.entries()) {
    const client = options.includes("fd0") ? "fd07::7" : "192.0.2.7";
    conntrack(host, `-I -t 600 -s ${client} ${options.replace(" -d", ` --sport ${5000 + index} -d`)}`);
  }
  return host;
}

/** The options of those connections that are still tracked. */
function left(host: HostNamespace, connections: readonly Connection[]): string[] {
  const text = ["ipv4", "ipv6"].map((family) => conntrack(host, `-L -f ${family}`)).join("");
  const ports = [...text.matchAll(/^\S+ .*? sport=(\d+)/gm)].map(([, port]) => Number(port)).sort();
  return ports.map((port) => connections[port - 5000]![0]);
}

function kept(connections: readonly Connection[]): string[] {
  return connections.flatMap(([options, isForgotten]) => (isForgotten ? [] : [options]));
}

/** A kernel as it was once: netlink requests are changed on their way. */
function olderKernel({ netns }: HostNamespace, change: (message: Uint8Array) => void): Namespace {
  const { sys } = netns.host;
  const send: Sys["send"] = (fd, data, timeoutMs) => {
    const other = data.slice();
    change(other);
    return sys.send(fd, other, timeoutMs);
  };
  return new Namespace(new Host({ ...sys, send }));
}

const IPCTNL_MSG_CT_DELETE = 2;
const CTA_FILTER = 25;

/** The attribute of that type, if the first message has it, gets a number that no kernel knows. */
function hide(message: Uint8Array, type: number): void {
  const length = message[0]! | (message[1]! << 8);
  for (let at = 20; at + 4 <= length; ) {
    if (message[at + 2] === type && message[at + 3] === 0x80) message[at + 2] = 0x3f;
    at += Math.max(4, ((message[at]! | (message[at + 1]! << 8)) + 3) & ~3);
  }
}

/** Linux before 5.8 knows no filters. */
const linux5 = (host: HostNamespace) => olderKernel(host, (message) => hide(message, CTA_FILTER));

const earlier: Connection[] = [
  ["-p udp -d 10.9.9.1 --dport 8053", true],
  ["-p udp -d 127.0.0.1 --dport 8053", true],
  ["-p udp -d fd09::1 --dport 8053", true],
  // To the container that had the port before, or with the port that it had there.
  ["-p udp -d 10.9.9.1 --dport 8053 --dst-nat 10.1.2.9:53", true],
  ["-p udp -d 10.9.9.1 --dport 8053 --dst-nat 10.1.2.3:54", true],
  ["-p udp -d fd09::1 --dport 8053 --dst-nat [fd01::9]:53", true],
  // Meanwhile.
  ["-p udp -d 10.9.9.1 --dport 8053 --dst-nat 10.1.2.3:53", false],
  ["-p udp -d fd09::1 --dport 8053 --dst-nat [fd01::3]:53", false],
  // Other ports, protocols, hosts.
  ["-p udp -d 10.9.9.1 --dport 8054", false],
  ["-p tcp -d 10.9.9.1 --dport 8053 --state ESTABLISHED", false],
  ["-p udp -d 192.0.2.1 --dport 8053", false],
  ["-p udp -d fd08::1 --dport 8053", false],
  // Established ones are left to programs of the host.
  ["-p tcp -d 10.9.9.1 --dport 8080 --state ESTABLISHED -u SEEN_REPLY,ASSURED", false],
  [
    "-p sctp -d 10.9.9.1 --dport 9000 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2 -u SEEN_REPLY,ASSURED",
    false,
  ],
  ["-p sctp -d 10.9.9.1 --dport 9000 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2", true],
];

const [major = 0, minor = 0] = release().split(".").map(Number);
const deletesByAddress = major > 6 || (major === 6 && minor >= 8);

// For a single port the kernel chooses; few connections are read at once for several.
for (const mappings of [[udp8053, tcp8080, sctp9000], [udp8053]])
  for (const kernel of ["this kernel", "Linux 5.4"])
    test(`ADD of ${mappings.length} ports: what came there and was not translated to the container is forgotten: ${kernel}`, (t) => {
      const host = hostWith(t, earlier);
      const netns = kernel === "this kernel" ? host.netns : linux5(host);
      if (netns !== host.netns) t.after(() => netns.netfilter.close());
      forgetEarlierConnections(netns, forwardsByFamily({ mappings, addresses }));
      // Where the kernel finds them by itself, those of UDP that came meanwhile go too, and are translated again.
      const byAddress = "-p udp -d 10.9.9.1 --dport 8053 ";
      const expected = earlier.map(
        ([options, is]): Connection => [
          options,
          (is && (mappings.length > 1 || !options.includes("sctp"))) ||
            (kernel === "this kernel" && deletesByAddress && options.startsWith(byAddress)),
        ],
      );
      assert.deepEqual(left(host, earlier), kept(expected));
      assert.deepEqual(host.programs, []);
    });

test("ADD on a host with many addresses: what leaves with another source is left alone", (t) => {
  const connections: Connection[] = [
    ["-p udp -d 10.9.9.1 --dport 8053", true],
    ["-p udp -d 10.9.9.1 --dport 8053 --dst-nat 10.1.2.9:53", true],
    ["-p udp -d 192.0.2.1 --dport 8053 --src-nat 10.9.9.1", false],
    ["-p udp -d 10.9.9.1 --dport 8054", false],
    ["-p tcp -d 10.9.9.1 --dport 8053 --state ESTABLISHED", false],
    ["-p udp -d fd08::1 --dport 8053", false],
  ];
  const host = hostWith(t, connections);
  for (let last = 1; last <= 30; last++) host.run("ip", "address", "add", `10.8.8.${last}/32`, "dev", "lo");
  forgetEarlierConnections(host.netns, forwardsByFamily({ mappings: [udp8053], addresses }));
  assert.deepEqual(left(host, connections), kept(connections));
});

test("ADD: of a port of one address of the host, what came to that address", (t) => {
  const connections: Connection[] = [
    ["-p udp -d 192.0.2.1 --dport 8053", true],
    ["-p udp -d 10.9.9.1 --dport 8053", false],
    ["-p udp -d fd09::1 --dport 8053", false],
  ];
  const host = hostWith(t, connections);
  // An address that may come and go, as one that several hosts share.
  const mappings = [{ ...udp8053, hostIP: parseIp("192.0.2.1") }];
  forgetEarlierConnections(host.netns, forwardsByFamily({ mappings, addresses }));
  assert.deepEqual(left(host, connections), kept(connections));
});

const translated: Connection[] = [
  ["-p udp -d 10.9.9.1 --dport 8053 --dst-nat 10.1.2.3:53", true],
  ["-p tcp -d 10.9.9.1 --dport 8080 --dst-nat 10.1.2.3:80 --state ESTABLISHED -u SEEN_REPLY,ASSURED", true],
  [
    "-p sctp -d 10.9.9.1 --dport 9000 --dst-nat 10.1.2.3 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2",
    true,
  ],
  ["-p udp -d fd09::1 --dport 8053 --dst-nat [fd01::3]:53", true],
  ["-p udp -d 10.9.9.1 --dport 8053 --dst-nat 10.1.2.9:53", false],
  ["-p udp -d fd09::1 --dport 8053 --dst-nat [fd01::9]:53", false],
  ["-p udp -d 10.9.9.1 --dport 8053", false],
  ["-p udp -d fd09::1 --dport 8053", false],
  ["-p udp -d fd08::1 --dport 53", false],
];
const all = [udp8053, tcp8080, sctp9000];

for (const kernel of ["this kernel", "Linux 6.1", "Linux 5.4"])
  test(`DEL: what was translated to the container is forgotten: ${kernel}`, (t) => {
    const host = hostWith(t, translated);
    // Linux before 6.8 has no filters for deleting: it takes that for a tuple which is not whole.
    const linux6 = () =>
      olderKernel(host, (message) => {
        if (message[4] === IPCTNL_MSG_CT_DELETE && message[17] === 1) hide(message, CTA_FILTER);
      });
    const netns = kernel === "this kernel" ? host.netns : kernel === "Linux 6.1" ? linux6() : linux5(host);
    if (netns !== host.netns) t.after(() => netns.netfilter.close());
    forgetConnections(netns, all, addresses);
    assert.deepEqual(left(host, translated), kept(translated));
  });

test("DEL: without addresses, what was translated to such ports", (t) => {
  const host = hostWith(t, translated);
  forgetConnections(host.netns, all);
  const expected = translated.filter(([options]) => !options.includes("--dst-nat"));
  assert.deepEqual(
    left(host, translated),
    expected.map(([options]) => options),
  );
});

test("many connections go in one call, those that end meanwhile among them", (t) => {
  const host = hostWith(t, []);
  const { sys } = host.netns.host;
  const commands = Array.from(
    { length: 600 },
    (_, index) => `-I -t 600 -p udp -s 192.0.2.7 --sport ${index + 1} -d 10.9.9.1 --dport 8053\n`,
  );
  host.run("sh", "-c", `printf '%s' '${commands.join("")}' | conntrack -R -`);
  assert.match(host.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count"), /^600$/m);
  // Somebody else deletes one of them when the first deletions are on their way.
  let isFirst = true;
  const send: Sys["send"] = (fd, data, timeoutMs) => {
    if (isFirst && data[4] === IPCTNL_MSG_CT_DELETE) {
      isFirst = false;
      for (const port of [300, 301]) conntrack(host, `-D -p udp --sport ${port}`);
    }
    return sys.send(fd, data, timeoutMs);
  };
  const netns = new Namespace(new Host({ ...sys, send }));
  t.after(() => netns.netfilter.close());
  forgetEarlierConnections(netns, forwardsByFamily({ mappings: [udp8053], addresses }));
  assert.equal(isFirst, false);
  assert.match(host.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count"), /^0$/m);
});

test("where nothing is tracked, nothing is asked", (t) => {
  const host = hostWith(t, []);
  const { sys } = host.netns.host;
  const refuse = () => -errno.EPERM;
  const untouched = { ...sys, send: refuse, socket: refuse };
  // The second one is a kernel without nf_conntrack.
  for (const table of [
    untouched,
    {
      ...untouched,
      open: (ns: number, path: string, ...rest: [number, number]) =>
        path.endsWith("/nf_conntrack_count") ? -errno.ENOENT : sys.open(ns, path, ...rest),
    },
  ]) {
    const netns = new Namespace(new Host(table));
    forgetEarlierConnections(netns, forwardsByFamily({ mappings: all, addresses }));
    forgetConnections(netns, all, addresses);
    forgetConnections(netns, all);
  }
});

test("a kernel that lets nobody see its connections is no error, one that refuses is", (t) => {
  const host = hostWith(t, earlier);
  // As the kernel answers for a subsystem of nfnetlink that is not there.
  const deaf = olderKernel(host, (message) => {
    if (message[5] === 1) message[5] = 13;
  });
  t.after(() => deaf.netfilter.close());
  const { sys } = host.netns.host;
  const without = new Namespace(new Host({ ...sys, socket: () => -errno.EPROTONOSUPPORT }));
  for (const netns of [deaf, without]) {
    forgetEarlierConnections(netns, forwardsByFamily({ mappings: all, addresses }));
    forgetConnections(netns, all, addresses);
  }
  const refusing = new Namespace(new Host({ ...sys, send: () => -errno.EPERM }));
  t.after(() => refusing.netfilter.close());
  for (const mappings of [all, [udp8053]]) {
    assert.throws(
      () => forgetEarlierConnections(refusing, forwardsByFamily({ mappings, addresses })),
      /cannot .* \(EPERM\)/,
    );
    assert.throws(() => forgetConnections(refusing, mappings, addresses), /cannot .* \(EPERM\)/);
  }
  assert.deepEqual(
    left(host, earlier),
    earlier.map(([options]) => options),
  );
});
