import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseIp } from "../../src/address/ip.ts";
import { ContainerInterface } from "../../src/dhcp/container-interface.ts";
import { Bpf, openPacketSocket, sendFrame } from "../../src/dhcp/packet-socket.ts";
import { encodeIcmp } from "../../src/dhcp/ra/icmp.ts";
import { linkLocalAddress } from "../../src/dhcp/v6/link-local.ts";
import { probeDuplicate } from "../../src/dhcp/v6/neighbour-probe.ts";
import { Writer } from "../../src/netlink/codec.ts";
import { V6Link } from "./v6-link.ts";

const ETH_P_IPV6 = 0x86dd;
const ADDRESS = parseIp("fd00:1::7")!;

/** What a probe of eth0 for fd00:1::7 has told so far. */
function probed(t: TestContext, link: V6Link, windowMs: number): boolean[] {
  const told: boolean[] = [];
  const context = link.context();
  const probe = probeDuplicate(context, ADDRESS, windowMs, (duplicate) => told.push(duplicate));
  assert.deepEqual(told, []);
  t.after(() => probe.stop());
  return told;
}

/** Says by s0 that fd00:1::7 is there, as an answer to a solicitation. */
function advertise(link: V6Link, hopLimit: number): void {
  const { host } = link;
  const far = new ContainerInterface(host, `/run/netns/${link.server.name}`, "s0");
  const near = new ContainerInterface(host, `/run/netns/${link.client.name}`, "eth0");
  const destination = near.use(linkLocalAddress)!;
  const mac = near.use((reached) => reached.link.mac!.bytes);
  far.use((reached) => {
    const fd = openPacketSocket(reached, ETH_P_IPV6, [[Bpf.Return, 0, 0, 0]]);
    const icmp = new Writer().u8(136).zeros(3).be32(0x60000000).raw(ADDRESS.bytes).finish();
    const packet = encodeIcmp({ source: linkLocalAddress(reached)!, destination, icmp });
    packet[7] = hopLimit;
    const header = new Writer().raw(mac).raw(reached.link.mac!.bytes).be16(ETH_P_IPV6);
    sendFrame(host, fd, header.raw(packet).finish());
    host.close(fd);
  });
}

test("nobody has the address", (t) => {
  const link = new V6Link(t);
  link.ready();
  const told = probed(t, link, 30);
  link.until("it is told", () => told.length > 0);
  assert.deepEqual(told, [false]);
});

test("somebody has it, and says so at once", (t) => {
  const link = new V6Link(t);
  link.ready();
  link.server.run("ip", "address", "add", `${ADDRESS}/64`, "dev", "s0", "nodad");
  // The window is not waited for.
  const told = probed(t, link, 1_000_000);
  link.until("it is told", () => told.length > 0);
  assert.deepEqual(told, [true]);
  assert.equal(link.sockets(), "");
});

test("somebody says so later", (t) => {
  const link = new V6Link(t);
  link.ready();
  const told = probed(t, link, 30);
  link.until("the window is over", () => told.length > 0);
  advertise(link, 255);
  link.until("it is told", () => told.length > 1);
  assert.deepEqual(told, [false, true]);
  assert.equal(link.sockets(), "");
});

test("what has passed a router is no neighbour's word", (t) => {
  const link = new V6Link(t);
  link.ready();
  const told = probed(t, link, 100);
  advertise(link, 254);
  link.until("it is told", () => told.length > 0);
  assert.deepEqual(told, [false]);
});

test("without a window nobody is asked", (t) => {
  const link = new V6Link(t);
  link.ready();
  link.server.run("ip", "address", "add", `${ADDRESS}/64`, "dev", "s0", "nodad");
  const told = probed(t, link, 0);
  assert.equal(link.sockets(), "");
  link.until("it is told", () => told.length > 0);
  assert.deepEqual(told, [false]);
});

test("an interface that cannot ask yet, and one that has gone", (t) => {
  const link = new V6Link(t);
  link.ready();
  link.server.run("ip", "address", "add", `${ADDRESS}/64`, "dev", "s0", "nodad");
  link.client.run("ip", "-6", "address", "flush", "dev", "eth0");
  const told = probed(t, link, 1_000_000);
  link.idle(50);
  link.client.run("ip", "address", "add", "fe80::7/64", "dev", "eth0", "nodad");
  link.until("it is told", () => told.length > 0);
  assert.deepEqual(told, [true]);
  link.client.run("ip", "link", "delete", "eth0");
  const gone = probed(t, link, 30);
  link.until("it is told", () => gone.length > 0);
  assert.deepEqual(gone, [false]);
});
