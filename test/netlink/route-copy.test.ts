import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../src/address/ip.ts";
import { errno } from "../../src/host/errno.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import { RT_TABLE_MAIN } from "../../src/netlink/route.ts";
import {
  copyRoute,
  listWholeRoutes,
  partBy,
  removeCopy,
  replaceByCopy,
  type WholeRoute,
} from "../../src/netlink/route-copy.ts";
import { TestNamespace } from "./namespaces.ts";

/** What `ip route add` is told, of every kind that a route can be. */
const kinds = [
  "10.9.0.0/16 via 10.1.0.1 metric 5 mtu 1400 window 100 initcwnd 7 quickack 1 congctl reno proto 77 src 10.1.0.2",
  "10.9.0.0/16 via 10.1.0.1 metric 6 mtu lock 1300 advmss 1200 rtt 100ms hoplimit 9 features ecn",
  "10.10.0.0/16 via 10.77.0.1 dev eth0 onlink",
  "10.11.0.0/16 tos 0x10 via 10.1.0.1 realm 5",
  "10.12.0.0/16 nexthop via 10.1.0.3 dev eth0 weight 3 nexthop via 10.77.0.4 dev eth0 onlink",
  "10.13.0.0/16 via inet6 fd01::9 dev eth0",
  "10.14.0.0/16 nhid 7",
  "10.15.0.0/16 encap ip id 5 dst 10.1.0.9 via 10.1.0.1 dev eth0",
  "10.16.0.0/16 dev eth0 scope host proto static",
  "multicast 224.1.0.0/16 dev eth0",
  "local 10.17.0.0/16 dev eth0 table main",
  "default via 10.1.0.1",
  "fd09::/64 via fd01::1 pref high expires 500 hoplimit 7 metric 9",
  "fd0a::/64 nexthop via fd01::3 dev eth0 weight 3 nexthop via fd01::4 dev eth0",
  "fd0b::/64 from fd01::/64 via fd01::1 pref low",
  "fd0c::/64 encap seg6 mode encap segs fd01::7 dev eth0",
  "fd0d::/64 via fe80::1 dev eth0 proto ra mtu 1300",
  "fd0e::/64 dev eth0 src fd01::2",
  "fd0f::/64 nhid 8",
  "default via fd01::1",
];

/** A namespace with routes of all kinds by eth0; a kernel may not have all of them. */
function routed(t: ConstructorParameters<typeof TestNamespace>[0]) {
  const space = new TestNamespace(t);
  for (const line of [
    "link add eth0 type veth peer name eth1",
    "link set eth0 up",
    "link set eth1 up",
    "address add 10.1.0.2/24 dev eth0",
    "address add fd01::2/64 dev eth0 nodad",
    "address add fd02::2/64 dev eth1 nodad",
    "nexthop add id 7 via 10.1.0.6 dev eth0",
    "nexthop add id 8 via fd01::6 dev eth0",
  ])
    space.run("ip", ...line.split(" "));
  let refused = 0;
  for (const kind of kinds) {
    const family = /^\w*:/.test(kind) || kind.includes("fd01::1") ? "-6" : "-4";
    try {
      space.run("ip", family, "route", "add", ...kind.split(" "));
    } catch {
      refused++;
    }
  }
  assert.ok(refused <= 2, `${refused} kinds of routes refused`);
  const eth0 = space.link("eth0");
  const own = () =>
    space.socket.dump(listWholeRoutes()).flatMap((route) => {
      return (route.table === RT_TABLE_MAIN && partBy(eth0.index, route)) || [];
    });
  /** What iproute2 sees in a table, but for what time changes. */
  const seen = (table: string | number) =>
    ["-4", "-6"].flatMap((family) =>
      space
        .ip(family, "route", "show", "table", `${table}`)
        .map(({ expires, ...route }) => ({ ...route, expires: expires && Math.round(expires / 10) })),
    );
  return { space, eth0, own, seen };
}

/** Routes without gateway come first: others may need them. */
const inOrder = (routes: readonly WholeRoute[]) =>
  routes.toSorted(
    (a, b) => Number(Boolean(a.gateway ?? a.nextHops)) - Number(Boolean(b.gateway ?? b.nextHops)),
  );

test("a copy of a route has all that the route has", (t) => {
  const { space, own, seen } = routed(t);
  const ofEth1 = ({ dev }: { dev?: string }) => dev !== "eth1";
  const before = seen("main").filter(ofEth1);
  const routes = inOrder(own());
  assert.ok(routes.length >= kinds.length);
  for (const table of [100, 70_000]) {
    space.socket.execute(routes.map((route) => copyRoute(route, { table })));
    assert.deepEqual(seen(table), before);
    assert.throws(
      () => space.socket.execute([copyRoute(routes[0]!, { table })]),
      (error) => isNetlinkErrno(error, errno.EEXIST) && error.what.endsWith(` in table ${table}`),
    );
    space.socket.execute(routes.map((route) => replaceByCopy(route, { table })));
    assert.deepEqual(seen(table), before);
  }
  // And back.
  space.socket.execute(routes.map((route) => removeCopy(route)));
  assert.deepEqual(seen("main").filter(ofEth1), []);
  space.socket.execute(routes.map((route) => copyRoute(route)));
  assert.deepEqual(seen("main").filter(ofEth1), before);
  space.socket.execute(routes.map((route) => removeCopy(route, { table: 100 })));
  assert.deepEqual(seen(100), []);
  assert.deepEqual(seen(70_000), before);
});

test("a copy may have another source address", (t) => {
  const { space, own } = routed(t);
  const source = parseIp("10.1.0.2")!;
  const route = own().find(({ dst }) => `${dst}` === "10.9.0.0/16")!;
  const plain = own().find(({ dst }) => `${dst}` === "10.11.0.0/16")!;
  space.socket.execute([route, plain].map((each) => copyRoute(each, { table: 9, source })));
  assert.deepEqual(
    space.ip("route", "show", "table", "9").map(({ prefsrc }) => prefsrc),
    ["10.1.0.2", "10.1.0.2"],
  );
});

test("of several IPv6 ways to one destination, one link's part is taken; an IPv4 route by two links is nobody's", (t) => {
  const { space, eth0, own } = routed(t);
  const ip = (line: string) => space.run("ip", ...line.split(" "));
  ip("address add 10.2.0.2/24 dev eth1");
  ip("-6 route append default via fd02::1 dev eth1");
  ip("-6 route add fd77::/64 nexthop via fd01::1 dev eth0 weight 4 nexthop via fd02::1 dev eth1");
  ip("route add 10.77.0.0/16 nexthop via 10.1.0.1 dev eth0 nexthop via 10.2.0.1 dev eth1");
  const shared = own().filter(({ nextHops }) => nextHops?.length === 1);
  assert.deepEqual(shared.map(({ dst }) => `${dst}`).sort(), ["::/0", "fd77::/64"]);
  assert.ok(!own().some(({ dst }) => `${dst}` === "10.77.0.0/16"));
  space.socket.execute(shared.map((route) => copyRoute(route, { table: 9 })));
  space.socket.execute(shared.map((route) => removeCopy(route)));
  const ways = (table: string) =>
    space
      .ip("-6", "route", "show", "table", table)
      .filter(({ dst }) => dst === "default" || dst === "fd77::/64")
      .map(({ dst, gateway, dev }) => `${dst} ${gateway} ${dev}`);
  assert.deepEqual(ways("9").sort(), ["default fd01::1 eth0", "fd77::/64 fd01::1 eth0"]);
  assert.deepEqual(ways("main").sort(), ["default fd02::1 eth1", "fd77::/64 fd02::1 eth1"]);
  space.socket.execute(shared.map((route) => copyRoute(route)));
  assert.deepEqual(own().filter(({ nextHops }) => nextHops?.length === 1).length, 2);
  assert.equal(shared[0]!.nextHops![0]!.link, eth0.index);
});
