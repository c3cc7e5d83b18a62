import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { everywhere, parseCidr } from "../address/cidr.ts";
import { parseIp } from "../address/ip.ts";
import { parseMac } from "../address/mac.ts";
import { addAddress, decodeAddress } from "./address.ts";
import { readBridgePort } from "./bridge-port.ts";
import { addBridgeVlans, listBridgeVlans } from "./bridge-vlan.ts";
import { WireError } from "./codec.ts";
import { decodeConnection, deleteConnection } from "./conntrack.ts";
import { readVerdict } from "./error.ts";
import { addRedirection, decodeRedirection } from "./filter.ts";
import { createLink, decodeLink } from "./link.ts";
import { bridge, readBridge } from "./links/bridge.ts";
import { ipvlan, readIpvlan } from "./links/ipvlan.ts";
import { macvlan, readMacvlan } from "./links/macvlan.ts";
import { readVlan, vlan } from "./links/vlan.ts";
import { readVrfTable, vrf } from "./links/vrf.ts";
import { addNeighbour, decodeNeighbour } from "./neighbour.ts";
import { addQdisc, decodeQdisc } from "./qdisc.ts";
import { addRoute } from "./route.ts";
import { copyRoute, listWholeRoutes, partBy } from "./route-copy.ts";
import { decodeRoute } from "./route-list.ts";
import { addRule, decodeRule } from "./rule.ts";
import { readTbf, tbf } from "./tbf.ts";

const lo = { index: 1, name: "lo" };
const mac = parseMac("02:00:5e:00:53:01")!;
const gateway = parseIp("10.1.2.1")!;

/** Everything that reads what the kernel sends. Decoding is complete: a view that reads later is read here. */
function decodeAll(body: Uint8Array): void {
  for (let type = 0; type < 48; type++) {
    const link = decodeLink(body, type);
    if (link)
      for (const read of [readBridge, readBridgePort, readIpvlan, readMacvlan, readVlan, readVrfTable])
        read(link);
    for (const decode of [decodeAddress, decodeNeighbour, decodeRoute, decodeRule, listBridgeVlans().decode])
      decode(body, type);
    const route = listWholeRoutes().decode(body, type);
    if (route) for (const whole of [route, partBy(3, route)]) if (whole) copyRoute(whole);
    decodeRedirection(body, type);
    const qdisc = decodeQdisc(body, type);
    if (qdisc) readTbf(qdisc);
  }
  decodeConnection(body);
  for (const type of [2, 3])
    for (const flags of [0, 0x200, 0x300]) readVerdict({ type, flags, sequence: 1, body });
}

function mustRefuseOrAccept(body: Uint8Array): void {
  try {
    decodeAll(body);
  } catch (error) {
    assert.ok(error instanceof WireError, String(error));
  }
}

test("any bytes are read or refused with a WireError", () => {
  const header = fc.constantFrom([], [2, 24, 0, 0], [10, 64, 0, 0], [7, 0, 0, 0], [0, 0, 0, 0]);
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 120 }), (family, rest) =>
      mustRefuseOrAccept(Uint8Array.from([...family, ...rest])),
    ),
    { numRuns: 300 },
  );
});

test("true messages that were cut or changed are read or refused with a WireError", () => {
  const messages = [
    createLink(bridge({ vlanFiltering: true, ageingTime: 5 }), { name: "br0", mac, mtu: 1500 }),
    createLink(vlan(5, { looseBinding: true }), { name: "v5", lower: 3 }),
    createLink(macvlan({ mode: "vepa", broadcastQueueLength: 7 }), { name: "m5", lower: 3 }),
    createLink(ipvlan("l3s"), { name: "i5", lower: 3 }),
    createLink(vrf(5), { name: "red" }),
    addAddress(lo, { cidr: parseCidr("10.1.2.3/24")!, broadcast: gateway, flags: 0x200 }),
    addRoute(lo, { dst: everywhere(4), gateway, mtu: 1400, table: 1000 }),
    addRoute(undefined, { dst: everywhere(6), nextHops: [{ link: 3, gateway, weight: 1 }] }),
    addNeighbour(lo, { ip: gateway, mac }),
    addRule({ family: 4, from: parseCidr("10.1.2.3/32")!, table: 1000 }),
    addBridgeVlans(lo, [{ first: 1, last: 5 }]),
    addQdisc(lo, tbf({ rate: 5e9, limit: 1e6, buffer: 1e6 })),
    addRedirection(lo, lo),
    deleteConnection({
      original: { source: gateway, destination: gateway, protocol: 17, sourcePort: 9, destinationPort: 53 },
      zone: 1,
    }),
  ];
  const change = fc.tuple(fc.nat(200), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...messages),
      fc.nat(200),
      fc.array(change, { maxLength: 3 }),
      ({ body }, cut, changes) => {
        const broken = body.slice(0, cut);
        for (const [at, value] of changes) if (at < broken.length) broken[at] = value;
        mustRefuseOrAccept(broken);
      },
    ),
    { numRuns: 300 },
  );
});
