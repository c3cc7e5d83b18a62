import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMac } from "../../src/address/mac.ts";
import { errno } from "../../src/host/errno.ts";
import { readBridgePort, setBridgePort } from "../../src/netlink/bridge-port.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import {
  createLink,
  deleteLink,
  getLink,
  getLinkByIndex,
  IFF_UP,
  listLinks,
  setLink,
} from "../../src/netlink/link.ts";
import { bridge, readBridge } from "../../src/netlink/links/bridge.ts";
import { veth } from "../../src/netlink/links/veth.ts";
import { TestNamespace } from "./namespaces.ts";

const bridgeMac = parseMac("02:00:5e:00:53:01")!;
const insideMac = parseMac("02:00:5e:00:53:02")!;
const outsideMac = parseMac("02:00:5e:00:53:03")!;

test("a veth pair is made with its ends in two namespaces, one of them a bridge's port", (t) => {
  const host = new TestNamespace(t);
  const container = new TestNamespace(t);
  host.socket.execute([createLink(bridge(), { name: "br0", mac: bridgeMac, up: true })]);
  const br0 = host.link("br0");
  const peer = { name: "eth0", netnsFd: container.fd, mtu: 1400, mac: insideMac };
  const outside = { name: "veth0", mtu: 1400, mac: outsideMac, master: br0.index, up: true };
  host.socket.execute([createLink(veth(peer), outside)]);
  container.socket.execute([setLink({ index: 0, name: "eth0" }, { up: true })]);

  const [seen] = host.ip("link", "show", "dev", "veth0");
  assert.equal(seen.linkinfo.info_kind, "veth");
  assert.equal(seen.master, "br0");
  assert.equal(seen.mtu, 1400);
  assert.equal(seen.address, String(outsideMac));
  const [inside] = container.ip("link", "show", "dev", "eth0");
  assert.equal(inside.address, String(insideMac));
  assert.equal(inside.mtu, 1400);
  assert.equal(inside.operstate, "UP");

  const veth0 = host.link("veth0");
  const eth0 = container.link("eth0");
  assert.equal(veth0.index, seen.ifindex);
  assert.equal(veth0.kind, "veth");
  assert.equal(veth0.masterKind, "bridge");
  assert.equal(veth0.master, br0.index);
  assert.equal(veth0.mtu, 1400);
  assert.deepEqual(veth0.mac, outsideMac);
  assert.equal(veth0.lower, eth0.index);
  assert.equal(veth0.lowerNamespace, seen.link_netnsid);
  assert.notEqual(veth0.flags & IFF_UP, 0);
  assert.deepEqual(host.socket.query(getLinkByIndex(veth0.index))?.name, "veth0");

  const names = (filter: Parameters<typeof listLinks>[0]) =>
    host.socket.dump(listLinks(filter)).map(({ name }) => name);
  assert.deepEqual(
    names({}).toSorted(),
    host
      .ip("link", "show")
      .map(({ ifname }) => ifname)
      .toSorted(),
  );
  assert.deepEqual(names({ master: br0.index }), ["veth0"]);
  assert.deepEqual(names({ kind: "bridge" }), ["br0"]);
  assert.deepEqual(names({ kind: "veth", master: br0.index + 1000 }), []);

  host.socket.execute([deleteLink(veth0)]);
  assert.equal(host.socket.query(getLink("veth0")), undefined);
  assert.equal(container.socket.query(getLink("eth0")), undefined);
});

test("a link is changed in one request", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  socket.execute([createLink(veth({ name: "b" }), { name: "a", txQueueLength: 50 })]);
  socket.execute([createLink(bridge(), { name: "br0" })]);
  const a = space.link("a");
  assert.equal(a.txQueueLength, 50);
  socket.execute([
    setLink(a, {
      name: "renamed",
      mtu: 1300,
      mac: insideMac,
      alias: "größe",
      promiscuous: true,
      allMulticast: true,
      txQueueLength: 77,
      master: space.link("br0").index,
      up: true,
    }),
  ]);
  const [seen] = space.ip("link", "show", "dev", "renamed");
  assert.equal(seen.ifindex, a.index);
  assert.equal(seen.mtu, 1300);
  assert.equal(seen.address, String(insideMac));
  assert.equal(seen.ifalias, "größe");
  assert.equal(seen.txqlen, 77);
  assert.equal(seen.master, "br0");
  for (const flag of ["UP", "PROMISC", "ALLMULTI"]) assert.ok(seen.flags.includes(flag), flag);
  assert.equal(space.link("renamed").alias, "größe");

  socket.execute([setLink(a, { up: false, promiscuous: false, allMulticast: false, master: 0, alias: "" })]);
  const [after] = space.ip("link", "show", "dev", "renamed");
  for (const flag of ["UP", "PROMISC", "ALLMULTI"]) assert.ok(!after.flags.includes(flag), flag);
  assert.equal(after.master, undefined);
  assert.equal(after.ifalias, undefined);
  assert.equal(space.link("renamed").index, a.index);
});

test("a link goes to another namespace and takes a new name with it", (t) => {
  const from = new TestNamespace(t);
  const to = new TestNamespace(t);
  from.socket.execute([createLink(veth({ name: "b" }), { name: "a" })]);
  to.socket.execute([createLink(bridge(), { name: "a" })]);
  from.socket.execute([setLink(from.link("a"), { netnsFd: to.fd, name: "net1" })]);
  assert.equal(from.socket.query(getLink("a")), undefined);
  assert.equal(to.ip("link", "show", "dev", "net1")[0].linkinfo.info_kind, "veth");
});

test("a bridge's options", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  const options = { ageingTime: 12, forwardDelay: 2.5, spanningTree: true, multicastSnooping: false };
  socket.execute([createLink(bridge(options), { name: "br0", mac: bridgeMac, mtu: 1350 })]);
  const [seen] = space.ip("link", "show", "dev", "br0");
  assert.equal(seen.address, String(bridgeMac));
  assert.equal(seen.mtu, 1350);
  const data = seen.linkinfo.info_data;
  assert.equal(data.ageing_time, 1200);
  assert.equal(data.forward_delay, 250);
  assert.equal(data.stp_state, 1);
  assert.equal(data.mcast_snooping, 0);
  assert.deepEqual({ ...readBridge(space.link("br0")), ...options }, readBridge(space.link("br0")));

  socket.execute([setLink(space.link("br0"), { kind: bridge({ spanningTree: false, ageingTime: 300 }) })]);
  assert.equal(readBridge(space.link("br0"))?.spanningTree, false);
  assert.equal(readBridge(space.link("br0"))?.ageingTime, 300);
  assert.equal(readBridge(space.link("lo")), undefined);
});

test("a bridge's MAC address stays when ports with lower ones come", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  socket.execute([createLink(bridge(), { name: "br0", mac: bridgeMac })]);
  const mac = parseMac("00:00:5e:00:53:01")!;
  socket.execute([createLink(veth({ name: "b" }), { name: "a", mac, master: space.link("br0").index })]);
  assert.deepEqual(space.link("br0").mac, bridgeMac);
});

test("a port's options", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  socket.execute([createLink(bridge(), { name: "br0" })]);
  socket.execute([createLink(veth({ name: "b" }), { name: "a", master: space.link("br0").index })]);
  const port = {
    hairpin: true,
    isolated: true,
    learning: false,
    unicastFlood: false,
    multicastFlood: false,
    broadcastFlood: false,
    bpduGuard: true,
    rootBlock: true,
    fastLeave: true,
    proxyArp: true,
    neighbourSuppress: true,
    priority: 5,
    cost: 42,
  };
  socket.execute([setBridgePort(space.link("a"), port)]);
  const [seen] = space.bridge("link", "show", "dev", "a");
  const { hairpin, isolated, learning, flood, mcast_flood, bcast_flood, guard, root_block, fastleave } = seen;
  assert.deepEqual(
    { hairpin, isolated, learning, flood, mcast_flood, bcast_flood, guard, root_block, fastleave },
    {
      hairpin: true,
      isolated: true,
      learning: false,
      flood: false,
      mcast_flood: false,
      bcast_flood: false,
      guard: true,
      root_block: true,
      fastleave: true,
    },
  );
  assert.equal(seen.priority, 5);
  assert.equal(seen.cost, 42);
  assert.equal(seen.neigh_suppress, true);
  assert.deepEqual(readBridgePort(space.link("a")), port);
  socket.execute([setBridgePort(space.link("a"), { hairpin: false })]);
  assert.deepEqual(readBridgePort(space.link("a")), { ...port, hairpin: false });
  assert.equal(readBridgePort(space.link("b")), undefined);
});

test("names that are taken, missing or too long", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  socket.execute([createLink(veth({ name: "b" }), { name: "a" })]);
  const refused = (work: () => void, number: number, message: RegExp) =>
    assert.throws(work, (error) => isNetlinkErrno(error, number) && message.test(error.message));
  refused(
    () => socket.execute([createLink(veth({ name: "c" }), { name: "a" })]),
    errno.EEXIST,
    /^cannot create veth a: File exists \(EEXIST\)/,
  );
  refused(
    () => socket.execute([setLink({ index: 0, name: "x" }, { up: true, mtu: 1400 })]),
    errno.ENODEV,
    /^cannot set up true, mtu 1400 of x: No such device \(ENODEV\)/,
  );
  refused(() => socket.execute([deleteLink({ index: 4242, name: "x" })]), errno.ENODEV, /^cannot delete x: /);
  refused(
    () => socket.execute([setLink(space.link("a"), { mtu: 10 })]),
    errno.EINVAL,
    /^cannot set mtu 10 of a: Invalid argument \(EINVAL\): mtu less than device minimum$/,
  );
  assert.equal(socket.query(getLink("a-name-longer-than-fifteen")), undefined);
});

test("a link is found by its alternative name", (t) => {
  const space = new TestNamespace(t);
  const { socket } = space;
  socket.execute([createLink(bridge(), { name: "br0" })]);
  space.run("ip", "link", "property", "add", "dev", "br0", "altname", "a-name-longer-than-fifteen");
  assert.equal(space.link("a-name-longer-than-fifteen").name, "br0");
});
