import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../src/address/ip.ts";
import { Bpf, openPacketSocket, sendFrame } from "../../src/dhcp/packet-socket.ts";
import { encodeUdp } from "../../src/dhcp/v4/packet.ts";
import { PacketTransport } from "../../src/dhcp/v4/transport.ts";
import { Namespace } from "../../src/net/namespace.ts";
import { type Kind, V4Link } from "./v4-link.ts";
import { programs } from "./v6-link.ts";

/** A filter that drops all. */
const NOTHING = [[Bpf.Return, 0, 0, 0]] as const;
const RANGE = "10.9.0.10,10.9.0.19";
const GOT = ["DISCOVER to 255.255.255.255 by broadcast", "REQUEST to 255.255.255.255 by broadcast"];
const RENEWED = "REQUEST to 10.9.0.1 by unicast";
const REBOUND = "REQUEST to 255.255.255.255 by broadcast";

const kinds: Kind[] = ["veth", "macvlan"];
for (const kind of kinds)
  test(`dnsmasq, ${kind}: a lease is got, renewed and released`, programs("dnsmasq"), async (t) => {
    const link = new V4Link(t, kind);
    await link.dnsmasq(
      RANGE,
      ...["--dhcp-option=6,10.9.0.53", "--dhcp-option=26,1400"],
      ...["--dhcp-option=15,office.example", "--dhcp-option=119,eng.office.example,lab.example"],
    );
    const before = link.loop.now();
    link.start({ provide: [[12, "web"]] });
    assert.deepEqual(link.expect(/^bound 10\.9\.0\.1\d\/24$/), GOT);
    const took = link.loop.now() - before;
    t.diagnostic(`bound after ${took} ms`);

    const { settings, expiresAt } = link.lease!;
    const { address, gateway } = settings.ips![0]!;
    assert.deepEqual(JSON.parse(JSON.stringify(settings)), {
      ips: [{ address: String(address), gateway: "10.9.0.1" }],
      routes: [{ dst: "0.0.0.0/0", gw: "10.9.0.1" }],
      dns: {
        nameservers: ["10.9.0.53"],
        domain: "office.example",
        search: ["eng.office.example", "lab.example"],
      },
      mtu: 1400,
    });
    assert.equal(String(gateway), "10.9.0.1");
    assert.ok(expiresAt >= before + 120_000 && expiresAt <= link.loop.now() + 120_000);
    const [line] = link.dnsmasqLeases.split("\n");
    const id = Buffer.from(`\0${link.client.name}/office/eth0`)
      .toString("hex")
      .replace(/(..)(?=.)/g, "$1:");
    assert.deepEqual(line!.split(" ").slice(2), [String(address.ip), "web", id]);

    link.until("no socket is open", () => link.sockets === "");

    link.goOn({ renewAt: 0 });
    assert.deepEqual(link.expect(/^bound /), [RENEWED]);
    assert.ok(link.lease!.expiresAt > expiresAt);
    link.release();
    assert.equal(link.heard.at(-1), "RELEASE to 10.9.0.1 by unicast");
    assert.deepEqual([link.told, link.logged, link.sockets], [[], [], ""]);
  });

test(
  "udhcpd: away at renewal, the lease ends; back, the same address is got",
  programs("udhcpd"),
  async (t) => {
    const link = new V4Link(t, "macvlan");
    const server = await link.udhcpd(3);
    link.start();
    assert.deepEqual(link.expect(/^bound 10\.9\.0\.1\d\/24$/), GOT);
    const address = String(link.address);
    assert.deepEqual(link.expect(/^bound/), [RENEWED]);
    await server.stop();
    assert.deepEqual(link.expect(/^lost: the lease of 10\.9\.0\.1\d has ended$/), [RENEWED, REBOUND]);
    await link.udhcpd(60);
    link.expect(/^bound/);
    assert.equal(String(link.address), address);
    link.source.stop();
    assert.equal(link.sockets, "");
  },
);

test("from T2 on another server extends the lease", programs("dnsmasq"), async (t) => {
  const link = new V4Link(t);
  const first = await link.dnsmasq(RANGE);
  link.start();
  link.expect(/^bound/);
  await first.stop();
  // It knows the lease by its file, but is another by its address.
  link.server.run("ip", "address", "delete", "10.9.0.1/24", "dev", "br0");
  link.server.run("ip", "address", "add", "10.9.0.2/24", "dev", "br0");
  await link.dnsmasq(RANGE);
  link.goOn({ renewAt: 0 }, { rebindAt: link.loop.now() + 200 });
  const heard = link.expect(/^bound/);
  assert.deepEqual([heard[0], heard.at(-1)], [RENEWED, REBOUND]);
  link.goOn({ renewAt: 0 });
  assert.deepEqual(link.expect(/^bound/), ["REQUEST to 10.9.0.2 by unicast"]);
});

test(
  "a server that comes back with another range refuses; another address is got",
  programs("dnsmasq"),
  async (t) => {
    const link = new V4Link(t);
    const first = await link.dnsmasq(RANGE);
    link.start();
    link.expect(/^bound 10\.9\.0\.1\d\/24/);
    await first.stop();
    await link.dnsmasq("10.9.0.30,10.9.0.39");
    link.goOn({ renewAt: 0 });
    assert.deepEqual(link.expect(/^lost: server 10\.9\.0\.1 refuses 10\.9\.0\.1\d: \w/), [RENEWED]);
    assert.deepEqual(link.expect(/^bound 10\.9\.0\.3\d\/24/), GOT);
  },
);

test("an address that another host has is declined", programs("dnsmasq"), async (t) => {
  const link = new V4Link(t);
  await link.dnsmasq(RANGE);
  const other = link.bystander();
  link.start();
  link.expect(/^bound/);
  const { ip } = link.address;
  // The server gives a client again what it had before.
  link.release();
  other.run("ip", "address", "add", `${ip}/24`, "dev", "eth0");

  link.heard.length = 0;
  link.start();
  const heard = link.expect(/^bound/);
  assert.deepEqual(heard, [...GOT, "DECLINE to 255.255.255.255 by broadcast", ...GOT]);
  assert.ok(!link.address.ip.equals(ip));
  assert.deepEqual(link.logged, [`${ip}, given by server 10.9.0.1, is in use by ${other.link("eth0").mac}`]);
});

test("an address that another host claims a moment later is given up", programs("dnsmasq"), async (t) => {
  const link = new V4Link(t);
  await link.dnsmasq(RANGE);
  const other = link.bystander();
  link.start();
  link.expect(/^bound/);
  const { ip } = link.address;
  other.run("ip", "address", "add", `${ip}/24`, "dev", "eth0");
  // It asks who has 10.9.0.1, and says who it is.
  other.run("ping", "-c", "1", "-W", "5", "10.9.0.1");
  link.expect(/^lost: .* is in use by /);
  link.expect(/^bound/);
  assert.ok(!link.address.ip.equals(ip));
});

test("a cable that is plugged in later is noticed at once", programs("dnsmasq"), async (t) => {
  const link = new V4Link(t);
  await link.dnsmasq(RANGE);
  const port = link.server.ip("link", "show", "master", "br0")[0].ifname;
  link.server.run("ip", "link", "set", port, "down");
  link.start();
  link.until("our end is up", () => link.client.ip("link", "show", "eth0")[0].flags.includes("UP"));
  link.server.run("ip", "link", "set", port, "up");
  // Nothing was sent into the void: the first DISCOVER is answered.
  assert.deepEqual(link.expect(/^bound/), GOT);
});

test("with its interface the source ends", programs("dnsmasq"), async (t) => {
  const remove = ["ip", "link", "delete", "eth0"] as const;
  const again = ["ip", "link", "add", "eth0", "type", "veth", "peer", "x"] as const;
  const rows: [told: RegExp, ...commands: (readonly [string, ...string[]])[]][] = [
    [/^gone: there is no interface eth0 in /, remove],
    [/^gone: eth0 in .* is another interface by now$/, remove, again],
  ];
  for (const [told, ...commands] of rows) {
    const link = new V4Link(t);
    await link.udhcpd(2);
    link.start();
    link.expect(/^bound/);
    for (const command of commands) link.client.run(...command);
    link.expect(told);
    assert.equal(link.sockets, "");
  }
});

test("only what is for a client's port comes out of the kernel", (t) => {
  const link = new V4Link(t);
  const { host, name, fd } = link.server;
  const port = link.server.ip("link", "show", "master", "br0")[0].ifname;
  const received: string[] = [];
  const transport = new PacketTransport(link.context());
  const channel = transport.open((payload) => received.push(host.decode(payload)));
  const sender = openPacketSocket(
    { netns: new Namespace(host, fd, name), link: link.server.link(port) },
    0,
    NOTHING,
  );
  const frame = (text: string, change: (ip: number[]) => number[], destinationPort = 68) => {
    const [source, destination] = [parseIp("10.9.0.1")!, parseIp("255.255.255.255")!];
    const payload = host.encode(text);
    const ip = encodeUdp({ source, destination, sourcePort: 67, destinationPort, payload });
    const ethernet = [...new Array(6).fill(255), ...link.server.link(port).mac!.bytes, 8, 0];
    return Uint8Array.from([...ethernet, ...change([...ip])]);
  };
  const frames = [
    frame("to another port", (ip) => ip, 69),
    frame("with options in the header", withOptions),
    frame("to the client", (ip) => ip),
    frame("with options, to another port", withOptions, 69),
    frame("the last", (ip) => ip),
  ];
  link.until("the link can be used", () => {
    for (const each of frames) sendFrame(host, sender, each);
    return received.includes("the last");
  });
  const texts = ["with options in the header", "to the client", "the last"];
  assert.deepEqual([...new Set(received)].toSorted(), texts.toSorted());
  channel.close();
  host.close(sender);
});

/** The packet with four bytes of options in its IPv4 header. */
function withOptions(ip: number[]): number[] {
  const header = [...ip.slice(0, 20), 1, 1, 1, 0];
  const length = ip.length + 4;
  header.splice(0, 4, 0x46, header[1]!, length >> 8, length & 0xff);
  header.splice(10, 2, 0, 0);
  let sum = 0;
  for (let at = 0; at < 24; at += 2) sum += header[at]! * 256 + header[at + 1]!;
  const checksum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
  header.splice(10, 2, checksum >> 8, checksum & 0xff);
  return [...header, ...ip.slice(20)];
}
