import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyMac, anyName, anyPart, anyU32 } from "../../test/arbitraries.ts";
import { parseMac } from "../address/mac.ts";
import { type BridgePort, readBridgePort, setBridgePort } from "./bridge-port.ts";
import { Reader, Writer } from "./codec.ts";
import { createLink, decodeLink, deleteLink, getLink, type Link, listLinks, setLink } from "./link.ts";
import { bridge, readBridge } from "./links/bridge.ts";
import { ipvlan, readIpvlan } from "./links/ipvlan.ts";
import { macvlan, readMacvlan } from "./links/macvlan.ts";
import { veth } from "./links/veth.ts";
import { readVlan, vlan } from "./links/vlan.ts";
import { readVrfTable, vrf } from "./links/vrf.ts";

const eth0 = { index: 3, name: "eth0" };
const RTM_NEWLINK = 16;
const link = (body: Uint8Array): Link => decodeLink(body, RTM_NEWLINK)!;

test("what all links have comes back as it went", () => {
  const anySettings = anyPart({
    mtu: anyU32,
    mac: anyMac,
    master: anyU32,
    txQueueLength: anyU32,
    lower: anyU32,
  });
  fc.assert(
    fc.property(anyName, anyName, anySettings, (name, kind, settings) => {
      const {
        attributes: _,
        kindData,
        portData,
        ...decoded
      } = link(createLink({ kind }, { name, ...settings }).body);
      assert.deepEqual(decoded, {
        index: 0,
        flags: 0,
        mtu: 0,
        mac: undefined,
        master: 0,
        lower: 0,
        txQueueLength: 0,
        ...settings,
        name,
        kind,
        lowerNamespace: undefined,
        alias: "",
        masterKind: "",
      });
      assert.deepEqual([kindData, portData], [undefined, undefined]);
    }),
  );
});

test("flags are changed by what is given, others stay", () => {
  const rows: [Parameters<typeof setLink>[1], flags: number, mask: number][] = [
    [{}, 0, 0],
    [{ up: true }, 1, 1],
    [{ up: false, promiscuous: true }, 0x100, 0x101],
    [{ allMulticast: false }, 0, 0x200],
  ];
  for (const [change, flags, mask] of rows) {
    const reader = new Reader(setLink(eth0, change).body);
    assert.deepEqual(
      [reader.u32(4), reader.u32(8), reader.u32(12)],
      [3, flags, mask],
      JSON.stringify(change),
    );
  }
});

test("a link is named by its index, or without one by its name", () => {
  assert.equal(link(deleteLink(eth0).body).name, "");
  assert.equal(link(deleteLink({ index: 0, name: "eth0" }).body).name, "eth0");
  assert.equal(link(setLink({ index: 0, name: "eth0" }, { up: true }).body).name, "eth0");
  assert.equal(link(setLink(eth0, { name: "net1" }).body).name, "net1");
  const altname = new Reader(getLink("a-name-longer-than-fifteen").body).attributes(16).get(53);
  assert.equal(altname?.text(), "a-name-longer-than-fifteen");
});

test("requests say what they do", () => {
  const mac = parseMac("02:00:5e:00:53:01")!;
  const rows: [string, string][] = [
    [createLink(bridge(), { name: "br0" }).what, "create bridge br0"],
    [
      setLink(eth0, { up: true, mtu: undefined, mac, netnsFd: 5, kind: bridge() }).what,
      "set up true, mac 02:00:5e:00:53:01, namespace, bridge options of eth0",
    ],
    [deleteLink(eth0).what, "delete eth0"],
    [getLink("eth0").what, "look up link eth0"],
  ];
  for (const [what, expected] of rows) assert.equal(what, expected);
});

test("a veth's peer is a message within the message", () => {
  const mac = parseMac("02:00:5e:00:53:01")!;
  const { body } = createLink(veth({ name: "eth0", netnsFd: 7, mtu: 1400, mac }), { name: "veth0" });
  const peer = link(body).kindData!.attributes().get(1)!;
  const inside = link(peer.bytes);
  assert.deepEqual([inside.name, inside.mtu, inside.mac], ["eth0", 1400, mac]);
  assert.equal(inside.attributes.get(28)?.u32(), 7);
});

test("a bridge's and a VLAN's options come back as they went", () => {
  const anyOptions = fc.record(
    {
      vlanFiltering: fc.boolean(),
      vlanDefaultPvid: fc.nat(4094),
      ageingTime: fc.nat(1000),
      forwardDelay: fc.nat(30),
      spanningTree: fc.boolean(),
      multicastSnooping: fc.boolean(),
    },
    { noNullPrototype: true },
  );
  const anyVlanOptions = fc.record(
    { protocol: fc.constantFrom(0x8100, 0x88a8), looseBinding: fc.boolean() },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(anyOptions, fc.nat(4094), anyVlanOptions, (options, id, vlanOptions) => {
      assert.deepEqual(readBridge(link(createLink(bridge(options), { name: "br0" }).body)), options);
      const made = link(createLink(vlan(id, vlanOptions), { name: "v", lower: 3 }).body);
      assert.deepEqual(readVlan(made), { id, ...vlanOptions });
    }),
  );
  const other = link(createLink(veth({ name: "b" }), { name: "a" }).body);
  assert.deepEqual([readBridge(other), readVlan(other)], [undefined, undefined]);
});

test("a macvlan's and an ipvlan's options come back as they went", () => {
  for (const mode of ["private", "vepa", "bridge", "passthru"] as const)
    for (const broadcastQueueLength of [undefined, 0, 2000, 0xffffffff]) {
      const made = link(createLink(macvlan({ mode, broadcastQueueLength }), { name: "m", lower: 3 }).body);
      assert.deepEqual(readMacvlan(made), { mode, broadcastQueueLength });
      assert.deepEqual([readIpvlan(made), made.lower], [undefined, 3]);
    }
  for (const mode of ["l2", "l3", "l3s"] as const) {
    const made = link(createLink(ipvlan(mode), { name: "i", lower: 3 }).body);
    assert.deepEqual([readIpvlan(made), readMacvlan(made)], [{ mode }, undefined]);
  }
});

test("a VRF's table comes back as it went", () => {
  for (const table of [1, 254, 0xffffffff])
    assert.equal(readVrfTable(link(createLink(vrf(table), { name: "v" }).body)), table);
  assert.equal(readVrfTable(link(createLink(vlan(5), { name: "v", lower: 3 }).body)), undefined);
});

test("a port's options come back as they went", () => {
  const anyPort: fc.Arbitrary<BridgePort> = anyPart({
    hairpin: fc.boolean(),
    isolated: fc.boolean(),
    learning: fc.boolean(),
    unicastFlood: fc.boolean(),
    multicastFlood: fc.boolean(),
    broadcastFlood: fc.boolean(),
    bpduGuard: fc.boolean(),
    rootBlock: fc.boolean(),
    fastLeave: fc.boolean(),
    proxyArp: fc.boolean(),
    neighbourSuppress: fc.boolean(),
    priority: fc.nat(0xffff),
    cost: anyU32,
  });
  fc.assert(
    fc.property(anyPort, (port) => {
      const sent = new Reader(setBridgePort(eth0, port).body).attributes(16).get(12)!;
      // The kernel tells of a port what one sets, but within IFLA_LINKINFO.
      const body = new Writer().zeros(16).nest(18, (info) => {
        info.textAttribute(4, "bridge").bytesAttribute(5, sent.bytes);
      });
      assert.deepEqual(readBridgePort(link(body.finish())), {
        priority: undefined,
        cost: undefined,
        ...port,
      });
    }),
  );
});

test("a tunnel's address is not taken for a MAC address", () => {
  for (const length of [0, 4, 16])
    assert.equal(
      link(new Writer().zeros(16).bytesAttribute(1, new Uint8Array(length)).finish()).mac,
      undefined,
    );
});

test("unknown attributes survive, other messages do not count", () => {
  const body = new Writer()
    .zeros(16)
    .bytesAttribute(0x3000, new Uint8Array([1, 2]))
    .finish();
  assert.deepEqual([...link(body).attributes.get(0x3000)!.bytes], [1, 2]);
  assert.equal(decodeLink(body, 17), undefined);
});

test("a list leaves out what an old kernel did not filter", () => {
  const { body, type } = createLink(bridge(), { name: "br0", master: 9 });
  const rows: [Parameters<typeof listLinks>[0], boolean][] = [
    [{}, true],
    [{ master: 9, kind: "bridge" }, true],
    [{ master: 8 }, false],
    [{ kind: "veth" }, false],
  ];
  for (const [filter, kept] of rows)
    assert.equal(listLinks(filter).decode(body, type) !== undefined, kept, JSON.stringify(filter));
  assert.equal(listLinks().decode(body, 17), undefined);
});
