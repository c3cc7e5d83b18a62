import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../src/address/ip.ts";
import { ContainerInterface } from "../../src/dhcp/container-interface.ts";
import { PacketTransport } from "../../src/dhcp/v4/transport.ts";
import { VirtualScheduler } from "../../src/dhcp/virtual.node.ts";
import { errno } from "../../src/host/errno.ts";
import { Host } from "../../src/host/host.ts";
import type { Sys } from "../../src/host/sys.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

const AF_INET = 2;
const AF_PACKET = 17;

test("what the kernel refuses leaves no descriptor open", (t) => {
  const space = new TestNamespace(t);
  space.run("ip", "link", "add", "eth0", "up", "type", "veth", "peer", "name", "far");
  space.run("ip", "link", "set", "far", "up");
  const { sys } = space.host;
  const own = parseIp("10.0.0.5")!;
  const rows: [name: string, refused: Partial<Sys>, act: (transport: PacketTransport) => void][] = [
    [
      "the probe is not sent",
      { send: (fd, data, ms) => (data.length === 42 ? -errno.ENOBUFS : sys.send(fd, data, ms)) },
      (transport) => assert.throws(() => transport.probe(own, () => {}), /ENOBUFS/),
    ],
    [
      "there is no room for a socket at the client's port",
      {
        socket: (ns, domain, type, protocol) =>
          domain === AF_INET ? -errno.EMFILE : sys.socket(ns, domain, type, protocol),
      },
      (transport) => transport.open(() => {}, own).close(),
    ],
    [
      "the filter is not taken",
      { filter: () => -errno.ENOMEM },
      (transport) => assert.throws(() => transport.open(() => {}, own), /ENOMEM/),
    ],
  ];
  for (const [name, refused, act] of rows) {
    const open = new Set<number>();
    const table: Sys = { ...sys, ...refused };
    const { socket } = table;
    const counting: Partial<Sys> = {
      socket: (ns, domain, type, protocol) => {
        const fd = socket(ns, domain, type, protocol);
        if (fd >= 0 && (domain === AF_PACKET || domain === AF_INET)) open.add(fd);
        return fd;
      },
      close: (fd) => {
        open.delete(fd);
        return sys.close(fd);
      },
      closelater: (fd) => {
        open.delete(fd);
        return sys.closelater(fd);
      },
    };
    const host = new Host({ ...table, ...counting });
    const scheduler = new VirtualScheduler();
    const transport = new PacketTransport({
      ...{ host, scheduler, target: new ContainerInterface(host, `/run/netns/${space.name}`, "eth0") },
      id: { containerId: "c", network: "lan", ifName: "eth0" },
      wish: { ipv4: "dhcp", ipv6: "none", request: [], provide: [], broadcast: false, mtu: true },
      timing: { timeout: 1, resendMax: 1, probe: 1 },
    });
    act(transport);
    assert.deepEqual([[...open], scheduler.idle], [[], true], name);
  }
});
