import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyFamily, anyIp, anyNetwork, anyPart, anyU32 } from "../../test/arbitraries.ts";
import { everywhere } from "../address/cidr.ts";
import { parseIp } from "../address/ip.ts";
import { Reader, Writer } from "./codec.ts";
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE } from "./message.ts";
import { addRoute, type NextHop, type Route } from "./route.ts";
import {
  copyRoute,
  listWholeRoutes,
  partBy,
  removeCopy,
  replaceByCopy,
  type WholeRoute,
} from "./route-copy.ts";
import { decodeRoute } from "./route-list.ts";

const RTM_NEWROUTE = 24;
/** Attributes that this code does not read, and a state that is no wish: flags, cache. */
const UNKNOWN = 77;
const RTA_CACHEINFO = 12;
const RTA_EXPIRES = 23;
const RTA_NH_ID = 30;

const eth0 = { index: 3, name: "eth0" };
const anyTable = fc.integer({ min: 1, max: 0xffffffff });
const anyHop: fc.Arbitrary<NextHop> = fc.record(
  { link: fc.integer({ min: 1, max: 4 }), gateway: anyIp(6), weight: fc.integer({ min: 1, max: 256 }) },
  { noNullPrototype: true },
);
const anyRoute: fc.Arbitrary<Route> = anyFamily
  .chain((family) =>
    fc.record(
      {
        dst: anyNetwork(family),
        rest: anyPart({
          gateway: anyIp(family),
          onlink: fc.constant(true),
          source: anyIp(family),
          table: anyTable,
          priority: anyU32,
          mtu: anyU32,
          protocol: fc.nat(255),
          nextHops: fc.array(anyHop, { minLength: 1, maxLength: 5 }),
        }),
      },
      { noNullPrototype: true },
    ),
  )
  .map(({ dst, rest }) => ({ dst, ...rest }));

/** The route as a dump tells it, with more attributes. */
function told(route: Route, more: (into: Writer) => Writer = (into) => into): WholeRoute {
  const body = more(new Writer().raw(addRoute(eth0, route).body)).finish();
  return listWholeRoutes().decode(body, RTM_NEWROUTE)!;
}

const plain = ({ message: _, ...route }: WholeRoute) => route;

test("a copy differs in the table alone", () => {
  fc.assert(
    fc.property(anyRoute, anyTable, (route, table) => {
      const whole = told(route, (into) => into.u32Attribute(UNKNOWN, 5));
      const { body } = copyRoute(whole, { table });
      assert.deepEqual(decodeRoute(body, RTM_NEWROUTE), { ...plain(whole), table });
      assert.equal(new Reader(body).attributes(12).get(UNKNOWN)?.u32(), 5);
      assert.deepEqual(removeCopy(whole, { table }).body, body);
      assert.deepEqual(decodeRoute(copyRoute(whole).body, RTM_NEWROUTE), plain(whole));
    }),
  );
});

test("a copy may have another source, or none", () => {
  const source = parseIp("10.1.2.9")!;
  for (const before of [undefined, parseIp("10.1.2.3")!]) {
    const whole = told({ dst: everywhere(4), source: before });
    const after = (change: object) => decodeRoute(copyRoute(whole, change).body, RTM_NEWROUTE)?.source;
    assert.deepEqual([after({ source }), after({ source: null }), after({})], [source, undefined, before]);
  }
});

test("what tells of the state is left out, a lifetime becomes a wish", () => {
  const cache = (ticks: number) => new Writer().zeros(8).u32(ticks).zeros(20).finish();
  const expires = (ticks: number) => {
    const whole = told({ dst: everywhere(6) }, (into) => into.bytesAttribute(RTA_CACHEINFO, cache(ticks)));
    const attributes = new Reader(copyRoute(whole).body).attributes(12);
    assert.equal(attributes.has(RTA_CACHEINFO), false);
    return attributes.get(RTA_EXPIRES)?.u32();
  };
  assert.deepEqual([expires(0), expires(-5), expires(1), expires(180_000)], [undefined, undefined, 1, 1800]);

  const hops: NextHop[] = [{ link: 3, weight: 2, onlink: true }];
  const { message, ...route } = told({ dst: everywhere(4), nextHops: hops });
  // RTNH_F_DEAD | RTNH_F_LINKDOWN, RTM_F_OFFLOAD, …: of the route, and of the hop at the end.
  const dead = message.map((byte, at) =>
    at === 8 || at === message.length - 6 ? byte | 0x13 : at === 9 ? 0x42 : byte,
  );
  assert.deepEqual(copyRoute({ ...route, message: dead }).body, copyRoute({ ...route, message }).body);
});

test("a route by a nexthop object names nothing else", () => {
  const whole = told({ dst: everywhere(4), gateway: parseIp("10.1.2.1")! }, (into) =>
    into.u32Attribute(RTA_NH_ID, 7),
  );
  assert.deepEqual(new Reader(copyRoute(whole).body).attributes(12).types(), [RTA_NH_ID, 15]);
});

test("one link's part of a route", () => {
  fc.assert(
    fc.property(anyRoute, fc.integer({ min: 1, max: 4 }), (route, link) => {
      const whole = told(route);
      const part = partBy(link, whole);
      const own = route.nextHops?.filter((hop) => hop.link === link);
      if (own === undefined) assert.equal(part, link === eth0.index ? whole : undefined);
      else if (own.length === route.nextHops!.length) assert.equal(part, whole);
      else if (own.length === 0 || whole.dst.family === 4) assert.equal(part, undefined);
      else {
        assert.deepEqual(part?.nextHops, own);
        assert.deepEqual(decodeRoute(copyRoute(part!).body, RTM_NEWROUTE), {
          ...plain(whole),
          nextHops: own,
        });
      }
    }),
  );
});

test("copies are put behind others, or in their place; messages name the table", () => {
  const whole = told({ dst: everywhere(4), gateway: parseIp("10.1.2.1")! });
  const copy = copyRoute(whole, { table: 100 });
  assert.deepEqual(
    [copy.flags, replaceByCopy(whole, { table: 100 }).flags],
    [NLM_F_CREATE | NLM_F_APPEND, NLM_F_CREATE | NLM_F_REPLACE],
  );
  assert.equal(copy.what, "copy route 0.0.0.0/0 via 10.1.2.1 in table 100");
  assert.equal(removeCopy(whole).what, "remove route 0.0.0.0/0 via 10.1.2.1 in table 254");
});
