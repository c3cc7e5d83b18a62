import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseIp } from "../../src/address/ip.ts";
import { ContainerInterface } from "../../src/dhcp/container-interface.ts";
import { probeDuplicate } from "../../src/dhcp/v6/neighbour-probe.ts";
import { linkLocalAddress, openSocket, setOption, socketAddress } from "../../src/dhcp/v6/socket.ts";
import { Writer } from "../../src/netlink/codec.ts";
import { V6Link } from "./v6-link.ts";

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
  const to = near.use(linkLocalAddress)!;
  far.use((reached) => {
    const [raw, icmp, ipv6, unicastHops] = [3, 58, 41, 16];
    const fd = openSocket(reached, raw, icmp, linkLocalAddress(reached)!);
    setOption(host, fd, ipv6, unicastHops, new Writer(4).u32(hopLimit).finish());
    const message = new Writer().u8(136).zeros(3).be32(0x60000000).raw(ADDRESS.bytes).finish();
    assert.equal(
      host.sys.sendto(fd, message, socketAddress(to, 0, reached.link.index), 1000),
      message.length,
    );
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
