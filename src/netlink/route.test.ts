import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyFamily, anyIp, anyNetwork, anyPart, anyU32 } from "../../test/arbitraries.ts";
import { everywhere, parseCidr } from "../address/cidr.ts";
import { parseIp } from "../address/ip.ts";
import { WireError, Writer } from "./codec.ts";
import {
  addRoute,
  type NextHop,
  type Route,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RTN_BLACKHOLE,
  RTN_LOCAL,
  removeRoute,
  replaceRoute,
} from "./route.ts";
import { decodeRoute, listRoutes, lookUpRoute } from "./route-list.ts";

const eth0 = { index: 3, name: "eth0" };
const RTM_NEWROUTE = 24;

const anyGateway = anyFamily.chain(anyIp);
const anyHop: fc.Arbitrary<NextHop> = fc.record(
  { link: anyU32, gateway: anyGateway, weight: fc.integer({ min: 1, max: 256 }), onlink: fc.constant(true) },
  { requiredKeys: ["link", "weight"], noNullPrototype: true },
);

test("a route comes back as it went", () => {
  const anyRoute = anyFamily.chain((family) =>
    fc.tuple(
      anyNetwork(family),
      anyPart({
        gateway: anyGateway,
        onlink: fc.constant(true),
        source: anyIp(family),
        scope: fc.nat(255),
        table: fc.integer({ min: 1, max: 0xffffffff }),
        priority: anyU32,
        mtu: anyU32,
        advmss: anyU32,
        protocol: fc.nat(255),
        type: fc.nat(11),
        nextHops: fc.array(anyHop, { minLength: 1, maxLength: 5 }),
      }),
    ),
  );
  fc.assert(
    fc.property(anyRoute, ([dst, rest]) => {
      const route: Route = { dst, ...rest };
      const { body } = replaceRoute(eth0, route);
      const decoded = decodeRoute(body, RTM_NEWROUTE)!;
      assert.deepEqual(decoded, {
        link: 3,
        table: 254,
        priority: 0,
        protocol: 3,
        type: 1,
        scope: decoded.scope,
        ...route,
      });
      assert.deepEqual(addRoute(eth0, route).body, body);
    }),
  );
});

test("the scope is chosen as ip route does", () => {
  const dst = parseCidr("10.0.0.0/8")!;
  const gateway = parseIp("10.1.2.1")!;
  const rows: [Route, number][] = [
    [{ dst }, RT_SCOPE_LINK],
    [{ dst, gateway }, RT_SCOPE_UNIVERSE],
    [{ dst, nextHops: [{ link: 3, weight: 1 }] }, RT_SCOPE_UNIVERSE],
    [{ dst, type: RTN_BLACKHOLE }, RT_SCOPE_UNIVERSE],
    [{ dst, type: RTN_LOCAL }, RT_SCOPE_HOST],
    [{ dst, scope: 200 }, 200],
  ];
  for (const [route, scope] of rows)
    assert.equal(decodeRoute(addRoute(eth0, route).body, RTM_NEWROUTE)?.scope, scope, JSON.stringify(route));
});

test("a removal names nothing that was not given", () => {
  const { body } = removeRoute(undefined, { dst: everywhere(4) });
  // rtm_table main, rtm_protocol any, rtm_scope nowhere, rtm_type any.
  assert.equal(Buffer.from(body).toString("hex"), "02000000" + "fe00ff00" + "00000000");
});

test("requests say what they do", () => {
  const route = { dst: parseCidr("10.0.0.0/8")!, gateway: parseIp("10.1.2.1")!, table: 100 };
  assert.equal(addRoute(eth0, route).what, "add route 10.0.0.0/8 via 10.1.2.1 dev eth0 in table 100");
  assert.equal(removeRoute(undefined, { dst: everywhere(6) }).what, "remove route ::/0");
});

test("a list leaves out what an old kernel did not filter, and the kernel's own copies", () => {
  const route = { dst: parseCidr("10.0.0.0/8")!, table: 1000, protocol: 77 };
  const { body, type } = addRoute(eth0, route);
  const rows: [Parameters<typeof listRoutes>[0], boolean][] = [
    [{}, true],
    [{ family: 4, link: 3, table: 1000, protocol: 77, type: 1 }, true],
    [{ family: 6 }, false],
    [{ link: 4 }, false],
    [{ table: 254 }, false],
    [{ protocol: 3 }, false],
    [{ type: 6 }, false],
  ];
  for (const [filter, kept] of rows)
    assert.equal(listRoutes(filter).decode(body, type) !== undefined, kept, JSON.stringify(filter));
  const copy = body.slice();
  copy[9] = 0x02;
  assert.equal(listRoutes().decode(copy, type), undefined);
  assert.notEqual(lookUpRoute(parseIp("10.1.2.3")!).decode(copy, type), undefined);
});

test("malformed routes are WireErrors", () => {
  const message = () => new Writer().u32(2).zeros(8);
  const rows = [
    message().bytesAttribute(5, new Uint8Array(3)),
    message().bytesAttribute(18, new Uint8Array(1)),
    message().bytesAttribute(18, new Uint8Array(8)),
    message().bytesAttribute(9, new Uint8Array(8)),
    message().bytesAttribute(9, new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0])),
    message().bytesAttribute(4, new Uint8Array(2)),
    new Writer().u32(2),
  ];
  for (const row of rows)
    assert.throws(
      () => decodeRoute(row.finish(), RTM_NEWROUTE),
      WireError,
      Buffer.from(row.finish()).toString("hex"),
    );
  assert.equal(decodeRoute(new Writer().u32(28).zeros(8).finish(), RTM_NEWROUTE), undefined);
});
