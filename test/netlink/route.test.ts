import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cidr, everywhere, parseCidr } from "../../src/address/cidr.ts";
import { parseIp } from "../../src/address/ip.ts";
import { parseMac } from "../../src/address/mac.ts";
import { errno } from "../../src/host/errno.ts";
import { addAddress, IFA_F_NODAD } from "../../src/netlink/address.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import { createLink, type Link, setLink } from "../../src/netlink/link.ts";
import { veth } from "../../src/netlink/links/veth.ts";
import {
  addNeighbour,
  listNeighbours,
  NTF_PROXY,
  NUD_PERMANENT,
  NUD_REACHABLE,
  removeNeighbour,
  replaceNeighbour,
} from "../../src/netlink/neighbour.ts";
import {
  addRoute,
  RT_SCOPE_LINK,
  RT_TABLE_MAIN,
  RTN_BLACKHOLE,
  removeRoute,
  replaceRoute,
} from "../../src/netlink/route.ts";
import { listRoutes, lookUpRoute } from "../../src/netlink/route-list.ts";
import { addRule, listRules, type Rule, removeRule } from "../../src/netlink/rule.ts";
import { TestNamespace } from "./namespaces.ts";

const cidr = (text: string) => parseCidr(text)!;
const ip = (text: string) => parseIp(text)!;

/** A namespace with a veth pair, both ends up; `a` has 10.1.2.3/24 and fd00::3/64. */
function addressed(t: ConstructorParameters<typeof TestNamespace>[0]): { space: TestNamespace; a: Link } {
  const space = new TestNamespace(t);
  space.socket.execute([
    createLink(veth({ name: "b" }), { name: "a", up: true }),
    setLink({ index: 0, name: "b" }, { up: true }),
  ]);
  const a = space.link("a");
  space.socket.execute([
    addAddress(a, { cidr: cidr("10.1.2.3/24") }),
    addAddress(a, { cidr: cidr("fd00::3/64"), flags: IFA_F_NODAD }),
  ]);
  return { space, a };
}

const find = <T extends { dst: Cidr }>(routes: readonly T[], dst: string): T => {
  const route = routes.find((each) => String(each.dst) === dst);
  assert.ok(route, `no route to ${dst}`);
  return route;
};

test("routes are added, listed and removed", (t) => {
  const { space, a } = addressed(t);
  const { socket } = space;
  socket.execute([
    addRoute(a, { dst: everywhere(4), gateway: ip("10.1.2.1") }),
    addRoute(a, { dst: cidr("10.2.0.0/16") }),
    addRoute(a, { dst: cidr("10.3.0.0/16"), gateway: ip("192.0.2.1"), onlink: true, priority: 50 }),
    addRoute(a, { dst: cidr("10.4.0.0/16"), gateway: ip("10.1.2.1"), mtu: 1300, advmss: 1200, table: 1000 }),
    addRoute(a, { dst: cidr("10.5.0.0/16"), source: ip("10.1.2.3"), table: 100, protocol: 77 }),
    addRoute(undefined, { dst: cidr("10.6.0.0/16"), type: RTN_BLACKHOLE }),
    addRoute(a, { dst: cidr("10.7.0.0/16"), gateway: ip("fd00::1") }),
    addRoute(a, { dst: everywhere(6), gateway: ip("fd00::1") }),
    addRoute(a, { dst: cidr("fd01::/64"), priority: 7, mtu: 1400 }),
    addRoute(undefined, {
      dst: cidr("10.8.0.0/16"),
      nextHops: [
        { link: a.index, gateway: ip("10.1.2.1"), weight: 1 },
        { link: a.index, gateway: ip("10.1.2.2"), weight: 5 },
      ],
    }),
  ]);

  const seen = space.ip("-4", "route", "show", "table", "all");
  const seenOf = (dst: string) => seen.find((each) => each.dst === dst);
  assert.deepEqual([seenOf("default").gateway, seenOf("default").scope], ["10.1.2.1", "global"]);
  assert.deepEqual([seenOf("10.2.0.0/16").dev, seenOf("10.2.0.0/16").scope], ["a", "link"]);
  assert.deepEqual([seenOf("10.3.0.0/16").metric, seenOf("10.3.0.0/16").flags], [50, ["onlink"]]);
  assert.deepEqual(seenOf("10.4.0.0/16").metrics, [{ mtu: 1300, advmss: 1200 }]);
  assert.equal(seenOf("10.4.0.0/16").table, "1000");
  assert.deepEqual([seenOf("10.5.0.0/16").prefsrc, seenOf("10.5.0.0/16").protocol], ["10.1.2.3", "77"]);
  assert.equal(seenOf("10.6.0.0/16").type, "blackhole");
  assert.deepEqual(seenOf("10.7.0.0/16").via, { family: "inet6", host: "fd00::1" });
  assert.deepEqual(
    seenOf("10.8.0.0/16").nexthops.map((hop: { gateway: string; weight: number }) => [
      hop.gateway,
      hop.weight,
    ]),
    [
      ["10.1.2.1", 1],
      ["10.1.2.2", 5],
    ],
  );
  const seen6 = space.ip("-6", "route", "show");
  assert.equal(seen6.find((each) => each.dst === "default").gateway, "fd00::1");
  assert.equal(seen6.find((each) => each.dst === "fd01::/64").metric, 7);

  const all = socket.dump(listRoutes());
  assert.deepEqual(find(all, "10.4.0.0/16"), {
    dst: cidr("10.4.0.0/16"),
    link: a.index,
    gateway: ip("10.1.2.1"),
    scope: 0,
    table: 1000,
    priority: 0,
    mtu: 1300,
    advmss: 1200,
    protocol: 3,
    type: 1,
  });
  assert.equal(find(all, "10.2.0.0/16").scope, RT_SCOPE_LINK);
  assert.deepEqual(find(all, "10.7.0.0/16").gateway, ip("fd00::1"));
  assert.equal(find(all, "10.3.0.0/16").onlink, true);
  assert.equal(find(all, "10.6.0.0/16").link, undefined);
  assert.deepEqual(find(all, "10.8.0.0/16").nextHops, [
    { link: a.index, gateway: ip("10.1.2.1"), weight: 1 },
    { link: a.index, gateway: ip("10.1.2.2"), weight: 5 },
  ]);
  assert.equal(find(all, "fd01::/64").mtu, 1400);

  const list = (filter: Parameters<typeof listRoutes>[0]) =>
    socket.dump(listRoutes(filter)).map(({ dst }) => String(dst));
  assert.deepEqual(list({ table: 1000 }), ["10.4.0.0/16"]);
  assert.deepEqual(list({ table: 1000, family: 4 }), ["10.4.0.0/16"]);
  assert.deepEqual(list({ table: 1000, family: 6 }), []);
  assert.deepEqual(list({ table: 4711, family: 4 }), []);
  assert.deepEqual(list({ protocol: 77 }), ["10.5.0.0/16"]);
  assert.deepEqual(list({ type: RTN_BLACKHOLE, family: 4 }), ["10.6.0.0/16"]);
  assert.ok(list({ family: 6, link: a.index, table: RT_TABLE_MAIN }).includes("::/0"));
  assert.deepEqual(list({ link: space.link("b").index, family: 4 }), []);

  // What was listed can be removed and be added again as it was.
  const moved = all.filter(({ protocol }) => protocol === 3 || protocol === 77);
  const linkOf = (index: number | undefined) => (index === undefined ? undefined : a);
  socket.execute(moved.map((route) => removeRoute(linkOf(route.link), route)));
  assert.deepEqual(list({ protocol: 3 }), []);
  socket.execute(moved.map((route) => addRoute(linkOf(route.link), route)));
  assert.deepEqual(socket.dump(listRoutes({ protocol: 3, table: 1000 })), [find(all, "10.4.0.0/16")]);
  assert.deepEqual(find(socket.dump(listRoutes()), "10.8.0.0/16"), find(all, "10.8.0.0/16"));
});

test("a route is replaced, looked up, refused", (t) => {
  const { space, a } = addressed(t);
  const { socket } = space;
  const route = { dst: everywhere(4), gateway: ip("10.1.2.1") };
  socket.execute([addRoute(a, route)]);
  assert.throws(
    () => socket.execute([addRoute(a, route)]),
    (error) =>
      isNetlinkErrno(error, errno.EEXIST) &&
      error.message.startsWith("cannot add route 0.0.0.0/0 via 10.1.2.1 dev a: File exists (EEXIST)"),
  );
  socket.execute([replaceRoute(a, { ...route, gateway: ip("10.1.2.9") })]);
  const way = socket.query(lookUpRoute(ip("192.0.2.7")));
  assert.deepEqual(way?.gateway, ip("10.1.2.9"));
  assert.equal(way?.link, a.index);
  assert.deepEqual(way?.source, ip("10.1.2.3"));
  const way6 = socket.query(lookUpRoute(ip("fd00::7"), { source: ip("fd00::3"), link: a.index }));
  assert.equal(way6?.link, a.index);
  socket.execute([removeRoute(undefined, { dst: everywhere(4) })]);
  assert.throws(
    () => socket.execute([removeRoute(undefined, { dst: everywhere(4) })]),
    (error) => isNetlinkErrno(error, errno.ESRCH),
  );
  assert.throws(
    () => socket.query(lookUpRoute(ip("192.0.2.7"))),
    (error) =>
      isNetlinkErrno(error, errno.ENETUNREACH) && /look up the route to 192.0.2.7/.test(error.message),
  );
  // The kernel's own words reach the error.
  assert.throws(
    () => socket.execute([addRoute(a, { ...route, gateway: ip("192.0.2.1") })]),
    (error) => isNetlinkErrno(error, errno.ENETUNREACH) && error.kernelText === "Nexthop has invalid gateway",
  );
});

test("neighbours are added, listed and removed", (t) => {
  const { space, a } = addressed(t);
  const { socket } = space;
  const mac = parseMac("02:00:5e:00:53:01")!;
  const other = parseMac("02:00:5e:00:53:02")!;
  const entry = { ip: ip("10.1.2.1"), mac };
  socket.execute([
    addNeighbour(a, entry),
    addNeighbour(a, { ip: ip("fd00::1"), mac, state: NUD_REACHABLE }),
    addNeighbour(a, { ip: ip("10.1.2.77"), flags: NTF_PROXY }),
  ]);
  const seen = space.ip("neigh", "show", "dev", "a");
  const seenOf = (dst: string) => seen.find((each) => each.dst === dst);
  assert.deepEqual([seenOf("10.1.2.1").lladdr, seenOf("10.1.2.1").state], [String(mac), ["PERMANENT"]]);
  assert.deepEqual([seenOf("fd00::1").lladdr, seenOf("fd00::1").state], [String(mac), ["REACHABLE"]]);
  assert.deepEqual(space.ip("neigh", "show", "proxy")[0].dst, "10.1.2.77");

  assert.deepEqual(socket.dump(listNeighbours({ link: a.index, family: 4 })), [
    { link: a.index, ip: entry.ip, mac, state: NUD_PERMANENT, flags: 0 },
  ]);
  assert.ok(socket.dump(listNeighbours()).some((each) => String(each.ip) === "fd00::1"));
  assert.deepEqual(socket.dump(listNeighbours({ link: space.link("b").index, family: 4 })), []);
  assert.deepEqual(
    socket.dump(listNeighbours({ proxy: true })).map((each) => String(each.ip)),
    ["10.1.2.77"],
  );

  assert.throws(
    () => socket.execute([addNeighbour(a, entry)]),
    (error) => isNetlinkErrno(error, errno.EEXIST),
  );
  socket.execute([replaceNeighbour(a, { ...entry, mac: other })]);
  assert.deepEqual(socket.dump(listNeighbours({ family: 4 }))[0]?.mac, other);
  socket.execute([removeNeighbour(a, entry)]);
  assert.throws(
    () => socket.execute([removeNeighbour(a, { ip: ip("10.1.2.8") })]),
    (error) => isNetlinkErrno(error, errno.ENOENT) && /remove neighbour 10.1.2.8 from a/.test(error.message),
  );
});

test("rules are added, listed and removed", (t) => {
  const { space } = addressed(t);
  const { socket } = space;
  const rules: Rule[] = [
    { family: 4, priority: 100, from: cidr("10.1.2.3/32"), table: 100 },
    { family: 4, priority: 101, to: cidr("10.0.0.0/8"), input: "a", table: 1000, protocol: 77 },
    {
      family: 6,
      priority: 102,
      from: cidr("fd00::/64"),
      output: "b",
      mark: 0x2000,
      markMask: 0x2000,
      table: 7,
    },
    { family: 4, priority: 103, mark: 5, invert: true, table: 254, suppressPrefixLength: 0 },
  ];
  socket.execute(rules.map(addRule));
  const seen = [...space.ip("-4", "rule", "show"), ...space.ip("-6", "rule", "show")];
  const seenOf = (priority: number) => seen.find((each) => each.priority === priority);
  assert.deepEqual([seenOf(100).src, seenOf(100).table], ["10.1.2.3", "100"]);
  assert.deepEqual(
    [seenOf(101).dst, seenOf(101).dstlen, seenOf(101).iif, seenOf(101).table],
    ["10.0.0.0", 8, "a", "1000"],
  );
  assert.deepEqual([seenOf(102).fwmark, seenOf(102).fwmask, seenOf(102).oif], ["0x2000", "0x2000", "b"]);
  assert.deepEqual([seenOf(103).not, seenOf(103).suppress_prefixlen], [null, 0]);

  const listed = socket.dump(listRules());
  for (const rule of rules) {
    const found = listed.find(({ priority }) => priority === rule.priority);
    assert.ok(found);
    assert.deepEqual({ ...found, ...rule }, found);
  }
  assert.ok(socket.dump(listRules({ family: 6 })).every(({ family }) => family === 6));

  assert.throws(
    () => socket.execute([addRule(rules[0]!)]),
    (error) =>
      isNetlinkErrno(error, errno.EEXIST) &&
      error.message.startsWith("cannot add rule from 10.1.2.3/32 lookup 100: File exists (EEXIST)"),
  );
  const kept = socket.dump(listRules()).length;
  socket.execute([removeRule({ family: 4, table: 1000 }), removeRule(rules[2]!)]);
  assert.equal(socket.dump(listRules()).length, kept - 2);
  assert.throws(
    () => socket.execute([removeRule({ family: 4, table: 1000 })]),
    (error) => isNetlinkErrno(error, errno.ENOENT),
  );
});
