import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseIp } from "../../src/address/ip.ts";
import { errno } from "../../src/host/errno.ts";
import {
  type ConnectionFilter,
  deleteConnection,
  deleteConnectionsAnsweredBy,
  hasConntrack,
  listConnections,
} from "../../src/netlink/conntrack.ts";
import { NETLINK_NETFILTER } from "../../src/netlink/message.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { TestNamespace } from "./namespaces.ts";

/** Connections as `conntrack` makes them; one is of another zone, one of a protocol without ports. */
const CONNECTIONS = [
  "-p udp -s 192.0.2.9 -d 10.9.9.1 --sport 4000 --dport 8053 --dst-nat 10.1.2.3:53",
  "-p udp -s 192.0.2.9 -d 10.9.9.1 --sport 4001 --dport 8053",
  "-p udp -s 192.0.2.9 -d 10.9.9.1 --sport 4001 --dport 8053 -w 7",
  "-p tcp -s 192.0.2.9 -d 10.9.9.1 --sport 4000 --dport 8053 --state ESTABLISHED",
  "-p udp -s fd00::9 -d fd00::1 --sport 4000 --dport 8053",
  "-p icmp -s 192.0.2.9 -d 10.9.9.1 --icmp-type 8 --icmp-code 0 --icmp-id 7",
];

function tracking(t: TestContext) {
  const namespace = new TestNamespace(t);
  const netfilter = NetlinkSocket.open(namespace.host, namespace.fd, NETLINK_NETFILTER);
  t.after(() => netfilter.close());
  // It says on stderr how many there are.
  const conntrack = (options: string) => namespace.run("sh", "-c", `conntrack ${options} 2>/dev/null`);
  for (const each of CONNECTIONS) conntrack(`-I -t 600 ${each}`);
  /** What the program sees: `protocol source port > destination port` of what is left. */
  const left = () =>
    ["ipv4", "ipv6"]
      .flatMap((family) => conntrack(`-L -f ${family} -o extended`).split("\n"))
      .filter((line) => line !== "")
      .map((line) => {
        const [, protocol] = /^\S+\s+\d+\s+(\w+)/.exec(line)!;
        const field = (name: string) => new RegExp(` ${name}=(\\S+)`).exec(line)?.[1] ?? "-";
        return `${protocol} ${field("src")} ${field("sport")} > ${field("dst")} ${field("dport")} zone ${field("zone")}`;
      })
      .sort();
  return { netfilter, left };
}

test("connections are listed as they are tracked", (t) => {
  const { netfilter } = tracking(t);
  const described = (filter: ConnectionFilter) =>
    netfilter
      .dump(listConnections(filter))
      .map(({ original, reply, zone = 0 }) => {
        const from = `${original.source} ${original.sourcePort}`;
        const to = `${original.destination} ${original.destinationPort}`;
        return `${original.protocol} ${from} > ${to} < ${reply.source} ${reply.sourcePort} zone ${zone}`;
      })
      .sort();
  const translated = "17 192.0.2.9 4000 > 10.9.9.1 8053 < 10.1.2.3 53 zone 0";
  const tcp = "6 192.0.2.9 4000 > 10.9.9.1 8053 < 10.9.9.1 8053 zone 0";
  const plain = "17 192.0.2.9 4001 > 10.9.9.1 8053 < 10.9.9.1 8053 zone 0";
  const zone7 = plain.replace(/0$/, "7");
  const v6 = "17 fd00::9 4000 > fd00::1 8053 < fd00::1 8053 zone 0";
  const icmp = "1 192.0.2.9 0 > 10.9.9.1 0 < 10.9.9.1 0 zone 0";
  const udp = { protocol: 17, port: 8053 };
  assert.deepEqual(described({}), [translated, tcp, plain, zone7, v6, icmp].sort());
  assert.deepEqual(described({ family: 6 }), [v6]);
  assert.deepEqual(described({ family: 4, to: udp }), [translated, plain, zone7].sort());
  assert.deepEqual(described({ family: 6, to: udp }), [v6]);
  assert.deepEqual(described({ family: 4, to: { protocol: 6, port: 8053 } }), [tcp]);
  assert.deepEqual(described({ family: 4, to: { protocol: 17, port: 53 } }), []);
  assert.deepEqual(described({ family: 4, answeredBy: parseIp("10.1.2.3")! }), [translated]);
  assert.deepEqual(described({ family: 6, answeredBy: parseIp("fd00::1")! }), [v6]);
});

test("one connection goes, and only if it is still the same", (t) => {
  const { netfilter, left } = tracking(t);
  const before = left();
  assert.equal(before.length, CONNECTIONS.length);
  for (const connection of netfilter.dump(listConnections())) {
    // The kernel finds a connection of ICMP by its identifier, type and code.
    if (connection.original.protocol === 1) continue;
    const other = deleteConnection({ ...connection, id: (connection.id! + 1) % 2 ** 32 });
    assert.equal(netfilter.attempt(other, errno.ENOENT), false);
    assert.equal(netfilter.attempt(deleteConnection(connection)), true);
    assert.equal(netfilter.attempt(deleteConnection(connection), errno.ENOENT), false);
  }
  assert.deepEqual(left(), ["icmp 192.0.2.9 - > 10.9.9.1 - zone -"]);
});

test("all that an IPv4 address answers goes, and nothing else", (t) => {
  const { netfilter, left } = tracking(t);
  const before = left();
  const deletion = deleteConnectionsAnsweredBy(parseIp("10.1.2.3")!);
  if (!netfilter.attempt(deletion, errno.EOPNOTSUPP, errno.EINVAL)) {
    // Before Linux 6.8. What matters is that it does nothing else.
    assert.deepEqual(left(), before);
    t.skip("this kernel cannot delete by a filter");
    return;
  }
  const gone = "udp 192.0.2.9 4000 > 10.9.9.1 8053 zone -";
  assert.deepEqual(
    left(),
    before.filter((line) => line !== gone),
  );
  assert.throws(() => deleteConnectionsAnsweredBy(parseIp("fd00::1")!), RangeError);
});

test("a kernel that does not know the subsystem is recognized", (t) => {
  const { netfilter } = tracking(t);
  assert.equal(hasConntrack({ netfilter }), true);
});
