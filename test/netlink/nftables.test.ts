import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { type Cidr, parseCidr } from "../../src/address/cidr.ts";
import { type Ip, parseIp } from "../../src/address/ip.ts";
import { parseMac } from "../../src/address/mac.ts";
import { errno } from "../../src/host/errno.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import { NETLINK_NETFILTER, type Request } from "../../src/netlink/message.ts";
import { batch, readGeneration, type TableId } from "../../src/netlink/nftables/batch.ts";
import {
  addChain,
  countUses,
  createChain,
  deleteChain,
  listChains,
} from "../../src/netlink/nftables/chain.ts";
import {
  addElements,
  concatenate,
  createElements,
  deleteElements,
  flushSet,
  getElement,
  listElements,
  range,
} from "../../src/netlink/nftables/element.ts";
import {
  accept,
  drop,
  type Expression,
  goto,
  jump,
  operand,
  returnToCaller,
  verdict,
} from "../../src/netlink/nftables/expressions.ts";
import { lookUp, matchSet, verdictFromMap } from "../../src/netlink/nftables/lookup.ts";
import {
  ipAddress,
  l4Protocol,
  matchFamily,
  matchInterface,
  matchIp,
  matchMac,
  matchPort,
  matchProtocol,
  portBytes,
  protocolBytes,
  transportPort,
} from "../../src/netlink/nftables/match.ts";
import {
  matchConnectionMark,
  matchConnectionState,
  matchConnectionStatus,
  matchLocal,
  matchMark,
  setConnectionMark,
  setMark,
} from "../../src/netlink/nftables/match-state.ts";
import { dnat, dnatToResult, masquerade, redirect, snat } from "../../src/netlink/nftables/nat.ts";
import { addRule, deleteRule, flushChain, insertRule, listRules } from "../../src/netlink/nftables/rule.ts";
import {
  addSet,
  deleteSet,
  inetProtocol,
  inetService,
  interfaceNameType,
  ipv4Address,
  ipv6Address,
  listSets,
  markType,
} from "../../src/netlink/nftables/set.ts";
import { counter, limit } from "../../src/netlink/nftables/statements.ts";
import { addTable, deleteTable, getTable, listTables } from "../../src/netlink/nftables/table.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { TestNamespace } from "./namespaces.ts";

const cidr = (text: string): Cidr => parseCidr(text)!;
const ip = (text: string): Ip => parseIp(text)!;
const table: TableId = { family: "inet", name: "t" };

class Nftables extends TestNamespace {
  readonly netfilter: NetlinkSocket;

  constructor(t: TestContext) {
    super(t);
    const socket = NetlinkSocket.open(this.host, this.fd, NETLINK_NETFILTER);
    this.netfilter = socket;
    t.after(() => socket.close());
  }

  commit(...requests: Request[]): void {
    this.netfilter.execute(batch(requests));
  }

  /** What nft prints, without indentation. */
  list(...what: string[]): string[] {
    const text = this.run("nft", "--stateless", "list", ...what);
    return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
  }

  load(ruleset: string): void {
    execFileSync("ip", ["netns", "exec", this.name, "nft", "-f", "-"], { input: ruleset });
  }
}

test("rules are what nft understands by them", (t) => {
  const ns = new Nftables(t);
  const rows: [string, ...Expression[]][] = [
    [
      "ip saddr 10.1.2.3 ip daddr != 10.1.0.0/16 masquerade",
      matchFamily(4),
      matchIp("saddr", cidr("10.1.2.3/32")),
      matchIp("daddr", cidr("10.1.0.0/16"), { not: true }),
      masquerade(),
    ],
    [
      "ip daddr 10.1.128.0/21 masquerade fully-random",
      matchFamily(4),
      matchIp("daddr", cidr("10.1.128.0/21")),
      masquerade({ fullyRandom: true }),
    ],
    [
      "ip6 saddr fd00::1 ip6 daddr != fd00::/64 return",
      matchFamily(6),
      matchIp("saddr", cidr("fd00::1/128")),
      matchIp("daddr", cidr("fd00::/64"), { not: true }),
      verdict(returnToCaller),
    ],
    [
      "ip6 daddr fd00:8000::/18 accept",
      matchFamily(6),
      matchIp("daddr", cidr("fd00:8000::/18")),
      verdict(accept),
    ],
    ["tcp dport 8080 redirect to :80", matchProtocol("tcp"), matchPort("dport", 8080), redirect(80)],
    ["udp sport != 53 drop", matchProtocol("udp"), matchPort("sport", 53, { not: true }), verdict(drop)],
    [
      "sctp dport 9 dnat ip to 10.1.2.3:99",
      matchProtocol("sctp"),
      matchPort("dport", 9),
      dnat(ip("10.1.2.3"), 99),
    ],
    [
      "tcp dport 9 dnat ip6 to [fd00::2]:99",
      matchProtocol("tcp"),
      matchPort("dport", 9),
      dnat(ip("fd00::2"), 99),
    ],
    ["dnat ip to 10.1.2.3", dnat(ip("10.1.2.3"))],
    ['iifname "eth0" jump other', matchInterface("iifname", "eth0"), verdict(jump("other"))],
    [
      'oifname != "veth*" goto other',
      matchInterface("oifname", "veth*", { not: true }),
      verdict(goto("other")),
    ],
    ["meta mark 0x00002000", matchMark(0x2000)],
    ["meta mark & 0x00002000 == 0x00002000 accept", matchMark(0x2000, 0x2000), verdict(accept)],
    [
      "meta mark & 0x00002000 != 0x00002000 accept",
      matchMark(0x2000, 0x2000, { not: true }),
      verdict(accept),
    ],
    ["meta mark set meta mark | 0x00002000", setMark(0x2000, 0x2000)],
    ["meta mark set 0x00000007", setMark(7)],
    ["ct mark & 0x00002000 == 0x00002000 accept", matchConnectionMark(0x2000, 0x2000), verdict(accept)],
    ["ct mark set 0x00000007", setConnectionMark(7)],
    ["ct state established,related accept", matchConnectionState("established", "related"), verdict(accept)],
    ["ct status dnat accept", matchConnectionStatus("dnat"), verdict(accept)],
    ["ct status ! dnat accept", matchConnectionStatus("dnat", { not: true }), verdict(accept)],
    ["fib daddr type local counter", matchLocal("daddr"), counter],
    ["limit rate 10/second burst 7 packets accept", limit(10, { burst: 7 }), verdict(accept)],
  ];
  ns.commit(
    addTable(table),
    addChain({ table, name: "other" }),
    addChain({ table, name: "c" }),
    ...rows.map(([, ...expressions]) => addRule({ table, chain: "c", expressions })),
  );
  const printed = ns.list("chain", "inet", "t", "c").slice(2, -2);
  assert.deepEqual(
    printed.map((line) => line.replace("packets 0 bytes 0 ", "").trim()),
    rows.map(([text]) => text),
  );
});

test("the kernel gets from us what it gets from nft", (t) => {
  const ours = new Nftables(t);
  const theirs = new Nftables(t);
  theirs.load(`
    table inet t { chain c {
      ip saddr == 10.1.2.3 ip daddr != 10.1.0.0/16 masquerade comment "one"
      ip6 saddr == fd00::1 ip6 daddr != fd00::/61 masquerade comment "two"
      iifname "eth0" drop
    }
    }`);
  const rule = (comment: string | undefined, ...expressions: Expression[]) =>
    addRule({ table, chain: "c", expressions, ...(comment !== undefined && { comment }) });
  ours.commit(
    addTable(table),
    addChain({ table, name: "c" }),
    rule(
      "one",
      matchFamily(4),
      matchIp("saddr", cidr("10.1.2.3/32")),
      matchIp("daddr", cidr("10.1.0.0/16"), { not: true }),
      masquerade(),
    ),
    rule(
      "two",
      matchFamily(6),
      matchIp("saddr", cidr("fd00::1/128")),
      matchIp("daddr", cidr("fd00::/61"), { not: true }),
      masquerade(),
    ),
    rule(undefined, matchInterface("iifname", "eth0"), verdict(drop)),
  );
  const listed = (ns: Nftables) => ns.netfilter.dump(listRules(table)).map(({ handle: _, ...rule }) => rule);
  assert.equal(listed(ours).length, 3);
  assert.deepEqual(listed(ours), listed(theirs));
});

test("frames are matched by MAC address", (t) => {
  const ns = new Nftables(t);
  const bridge: TableId = { family: "bridge", name: "nat" };
  ns.commit(
    addTable(bridge),
    addChain({
      table: bridge,
      name: "PREROUTING",
      base: { type: "filter", hook: "prerouting", priority: -300 },
    }),
    addRule({
      table: bridge,
      chain: "PREROUTING",
      expressions: [matchMac("saddr", parseMac("02:00:5e:00:53:01")!), verdict(drop)],
    }),
  );
  assert.deepEqual(ns.list("table", "bridge", "nat"), [
    "table bridge nat {",
    "chain PREROUTING {",
    "type filter hook prerouting priority dstnat; policy accept;",
    "ether saddr 02:00:5e:00:53:01 drop",
    "}",
    "}",
  ]);
});

test("tables and chains come and go, with their comments", (t) => {
  const ns = new Nftables(t);
  const base = { type: "nat", hook: "postrouting", priority: 100, policy: "accept" } as const;
  const post = { table, name: "post" };
  ns.commit(
    addTable({ ...table, comment: "hello" }),
    addChain({ ...post, base, comment: "there" }),
    addChain({ table, name: "c" }),
  );
  assert.deepEqual(ns.netfilter.dump(listTables()), [{ ...table, comment: "hello" }]);
  assert.deepEqual(ns.netfilter.dump(listTables("ip")), []);
  assert.deepEqual(ns.netfilter.query(getTable(table)), { ...table, comment: "hello" });
  assert.equal(ns.netfilter.query(getTable({ ...table, name: "other" })), undefined);
  assert.deepEqual(ns.netfilter.dump(listChains("inet")), [
    { ...post, base, comment: "there", use: 0 },
    { table, name: "c", use: 0 },
  ]);
  assert.ok(ns.list("ruleset").includes('comment "hello"'));

  ns.commit(
    addTable(table),
    addChain({ ...post, base }),
    addRule({ ...post, chain: "post", expressions: [verdict(jump("c"))] }),
  );
  assert.equal(ns.netfilter.query(countUses({ table, name: "c" })), 1);
  assert.equal(ns.netfilter.query(countUses({ table, name: "d" })), undefined);
  assert.equal(ns.netfilter.query(countUses({ table: { family: "ip", name: "t" }, name: "c" })), undefined);
  assert.throws(
    () => ns.commit(createChain({ table, name: "c" })),
    (error) => isNetlinkErrno(error, errno.EEXIST),
  );
  assert.throws(
    () => ns.commit(deleteChain({ table, name: "c" })),
    (error) => isNetlinkErrno(error, errno.EBUSY),
  );

  ns.commit(flushChain(post), deleteChain({ table, name: "c" }));
  assert.deepEqual(
    ns.netfilter.dump(listChains()).map(({ name }) => name),
    ["post"],
  );
  ns.commit(deleteTable(table));
  assert.deepEqual(ns.list("ruleset"), []);
});

test("one bad request voids the whole batch, and the error names it", (t) => {
  const ns = new Nftables(t);
  ns.commit(addTable(table));
  const bad = addRule({ table, chain: "nowhere", expressions: [verdict(accept)] });
  for (const place of [0, 1, 2]) {
    const requests = [addChain({ table, name: "c" }), addTable({ family: "ip", name: "u" })];
    requests.splice(place, 0, bad);
    assert.throws(
      () => ns.commit(...requests),
      (error) => isNetlinkErrno(error, errno.ENOENT) && error.what === "add rule to chain inet t nowhere",
      `bad one at ${place}`,
    );
    assert.deepEqual(ns.list("ruleset"), ["table inet t {", "}"]);
  }
  // The socket is as good as new.
  ns.commit(addChain({ table, name: "c" }));
  assert.notEqual(ns.netfilter.query(countUses({ table, name: "c" })), undefined);
});

test("rules are listed by what they mention, and deleted by handle", (t) => {
  const ns = new Nftables(t);
  const comments = ["abc", "abcd", "x\u00c3\u00a9", undefined];
  const rule = (comment: string | undefined) =>
    addRule({ table, chain: "c", expressions: [verdict(accept)], ...(comment !== undefined && { comment }) });
  ns.commit(
    addTable(table),
    addChain({ table, name: "c" }),
    addChain({ table, name: "abc" }),
    ...comments.map(rule),
  );
  const listed = (mention?: string) => ns.netfilter.dump(listRules(table, "c", mention));
  assert.deepEqual(
    listed().map(({ comment }) => comment),
    comments,
  );
  assert.deepEqual(
    listed("abc").map(({ comment }) => comment),
    ["abc", "abcd"],
  );
  assert.deepEqual(
    listed("bcd").map(({ comment }) => comment),
    ["abcd"],
  );
  assert.deepEqual(listed("abce"), []);
  assert.deepEqual(ns.netfilter.dump(listRules({ family: "ip", name: "none" }, "c")), []);
  assert.deepEqual(operand(listed()[0]!.expressions[0]!), { code: 1 });
  assert.equal(ns.list("chain", "inet", "t", "c")[4], 'accept comment "x\u00e9"');

  const [first] = listed("abc");
  ns.commit(
    deleteRule({ table, name: "c" }, first!.handle),
    insertRule({ table, chain: "c", expressions: [verdict(drop)], comment: "front" }),
  );
  assert.deepEqual(
    listed().map(({ comment }) => comment),
    ["front", "abcd", "x\u00c3\u00a9", undefined],
  );
  const [front] = listed("front");
  ns.commit(addRule({ table, chain: "c", expressions: [verdict(accept)], comment: "second" }, front!.handle));
  assert.deepEqual(
    listed().map(({ comment }) => comment),
    ["front", "second", "abcd", "x\u00c3\u00a9", undefined],
  );
  assert.throws(
    () => ns.commit(deleteRule({ table, name: "c" }, first!.handle)),
    (error) => isNetlinkErrno(error, errno.ENOENT),
  );
});

test("a dump of more rules than one datagram holds is complete", (t) => {
  const ns = new Nftables(t);
  const comments = Array.from({ length: 400 }, (_, index) => `rule number ${index}`);
  ns.commit(
    addTable(table),
    addChain({ table, name: "c" }),
    ...comments.map((comment) => addRule({ table, chain: "c", comment, expressions: [verdict(accept)] })),
  );
  assert.deepEqual(
    ns.netfilter.dump(listRules(table, "c")).map(({ comment }) => comment),
    comments,
  );
});

test("sets and maps are what nft understands by them", (t) => {
  const ns = new Nftables(t);
  const set = (name: string) => ({ table, name });
  const service = concatenate(ip("10.1.2.3").bytes, portBytes(80));
  const target = concatenate(ip("10.9.9.9").bytes, portBytes(8080));
  ns.commit(
    addTable(table),
    addChain({ table, name: "c" }),
    addSet({ ...set("single"), key: [ipv4Address], comment: "a set" }),
    addSet({ ...set("v6"), key: [ipv6Address] }),
    addSet({ ...set("pairs"), key: [ipv4Address, inetService] }),
    addSet({ ...set("networks"), key: [ipv4Address], interval: true }),
    addSet({ ...set("ranges"), key: [ipv4Address, inetService], interval: true }),
    addSet({ ...set("verdicts"), key: [inetProtocol, inetService], data: "verdict" }),
    addSet({ ...set("targets"), key: [ipv4Address, inetService], data: [ipv4Address, inetService] }),
    addSet({ ...set("marks"), key: [markType], data: [ipv4Address] }),
    addSet({ ...set("names"), key: [interfaceNameType] }),
    addElements(set("single"), [{ key: ip("10.1.2.3").bytes, comment: "an element" }]),
    addElements(set("v6"), [{ key: ip("fd00::1").bytes }]),
    addElements(set("pairs"), [{ key: service }]),
    addElements(set("networks"), [
      ...range({ key: ip("10.0.0.0").bytes }, ip("10.255.255.255").bytes),
      ...range({ key: ip("240.0.0.0").bytes }, ip("255.255.255.255").bytes),
    ]),
    addElements(set("ranges"), [
      {
        key: concatenate(ip("10.0.0.0").bytes, portBytes(80)),
        last: concatenate(ip("10.0.0.255").bytes, portBytes(90)),
      },
    ]),
    addElements(set("verdicts"), [
      { key: concatenate(protocolBytes("tcp"), portBytes(80)), data: goto("c") },
      { key: concatenate(protocolBytes("udp"), portBytes(80)), data: drop },
    ]),
    addElements(set("targets"), [{ key: service, data: target }]),
    addElements(set("marks"), [{ key: Uint8Array.of(7, 0, 0, 0), data: ip("10.1.2.3").bytes }]),
  );
  const text = ns.list("table", "inet", "t").join("\n");
  for (const expected of [
    'set single {\ntype ipv4_addr\ncomment "a set"\nelements = { 10.1.2.3 comment "an element" }',
    "set v6 {\ntype ipv6_addr\nelements = { fd00::1 }",
    "set pairs {\ntype ipv4_addr . inet_service\nelements = { 10.1.2.3 . 80 }",
    "set networks {\ntype ipv4_addr\nflags interval\nelements = { 10.0.0.0/8, 240.0.0.0/4 }",
    "set ranges {\ntype ipv4_addr . inet_service\nflags interval\nelements = { 10.0.0.0/24 . 80-90 }",
    "map verdicts {\ntype inet_proto . inet_service : verdict\nelements = { tcp . 80 : goto c,\nudp . 80 : drop }",
    "map targets {\ntype ipv4_addr . inet_service : ipv4_addr . inet_service\nelements = { 10.1.2.3 . 80 : 10.9.9.9 . 8080 }",
    "map marks {\ntype mark : ipv4_addr\nelements = { 0x00000007 : 10.1.2.3 }",
    "set names {\ntype ifname",
  ])
    assert.ok(text.includes(expected), `${expected}\nis missing in\n${text}`);

  assert.deepEqual(ns.netfilter.dump(listElements(set("targets"))).flat(), [{ key: service, data: target }]);
  assert.deepEqual(ns.netfilter.dump(listElements(set("single"))).flat(), [
    { key: ip("10.1.2.3").bytes, comment: "an element" },
  ]);
  assert.deepEqual(
    ns.netfilter
      .dump(listElements(set("verdicts")))
      .flat()
      .map(({ data }) => data)
      .sort((a, b) => ("code" in a! && "code" in b! ? a.code - b.code : 0)),
    [{ code: -4, chain: "c" }, { code: 0 }],
  );
  assert.deepEqual(
    ns.netfilter
      .dump(listSets(table))
      .map(({ name, isMap, comment }) => [name, isMap, comment])
      .slice(0, 1),
    [["single", false, "a set"]],
  );
  const ranges = ns.netfilter.dump(listElements(set("ranges"))).flat();
  assert.deepEqual(
    ranges.map(({ last }) => last),
    [concatenate(ip("10.0.0.255").bytes, portBytes(90))],
  );
});

test("elements are deleted by key; what was never there is an error, what is there twice only when created", (t) => {
  const ns = new Nftables(t);
  const ports = { table, name: "ports" };
  const element = (port: number) => ({ key: portBytes(port) });
  const keys = () =>
    ns.netfilter
      .dump(listElements(ports))
      .flat()
      .map(({ key }) => (key[0]! << 8) | key[1]!)
      .sort();
  ns.commit(
    addTable(table),
    addSet({ ...ports, key: [inetService] }),
    addElements(ports, [element(80), element(443)]),
  );
  ns.commit(addElements(ports, [element(80)]));
  assert.throws(
    () => ns.commit(createElements(ports, [element(80)])),
    (error) => isNetlinkErrno(error, errno.EEXIST),
  );
  ns.commit(deleteElements(ports, [element(80)]));
  assert.deepEqual(keys(), [443]);
  assert.throws(
    () => ns.commit(deleteElements(ports, [element(80)])),
    (error) => isNetlinkErrno(error, errno.ENOENT),
  );
  ns.commit(flushSet(ports));
  assert.deepEqual(keys(), []);
  ns.commit(deleteSet(ports));
  assert.deepEqual(ns.list("ruleset"), ["table inet t {", "}"]);
});

test("an element is read by its key, elements are listed by what they mention", (t) => {
  const ns = new Nftables(t);
  const map = { table, name: "m" };
  const [port, target] = [
    [inetProtocol, inetService],
    [ipv4Address, inetService],
  ];
  const keyOf = (number: number) => concatenate(protocolBytes("tcp"), portBytes(number));
  const elements = Array.from({ length: 500 }, (_, index) => ({
    key: keyOf(index),
    data: concatenate(ip("10.1.2.3").bytes, portBytes(80)),
    comment: `net/c${index}/eth0`,
  }));
  assert.equal(ns.netfilter.query(getElement(map, keyOf(7))), undefined);
  ns.commit(addTable(table), addSet({ ...map, key: port, data: target }), createElements(map, elements));
  assert.deepEqual(ns.netfilter.query(getElement(map, keyOf(7))), elements[7]);
  assert.equal(ns.netfilter.query(getElement(map, keyOf(500))), undefined);
  assert.equal(ns.netfilter.query(getElement({ table, name: "none" }, keyOf(7))), undefined);
  const mentioned = (text: string) => ns.netfilter.dump(listElements(map, text)).flat();
  assert.deepEqual(mentioned("net/c77/eth0"), [elements[77]]);
  assert.deepEqual(mentioned("net/c500/eth0"), []);
  assert.equal(mentioned("/").length, 500);
});

test("a batch for a generation that is past is refused as a whole", (t) => {
  const ns = new Nftables(t);
  const generation = ns.netfilter.query(readGeneration());
  const attempt = () => ns.netfilter.execute(batch([addTable(table)], generation));
  ns.commit(addTable({ family: "ip", name: "other" }));
  assert.throws(attempt, (error) => isNetlinkErrno(error, errno.ERESTART));
  assert.deepEqual(ns.list("tables"), ["table ip other"]);
  ns.netfilter.execute(batch([addTable(table)], ns.netfilter.query(readGeneration())));
  assert.deepEqual(ns.list("tables"), ["table ip other", "table inet t"]);
});

test("rules look fields up in sets and maps", (t) => {
  const ns = new Nftables(t);
  const service = [ipAddress("daddr", 4), transportPort("dport")];
  const rule = (...expressions: Expression[]) => addRule({ table, chain: "c", expressions });
  ns.commit(
    addTable(table),
    addChain({ table, name: "c", base: { type: "nat", hook: "prerouting", priority: -100 } }),
    addSet({ table, name: "services", key: [ipv4Address, inetService] }),
    addSet({ table, name: "verdicts", key: [inetProtocol, inetService], data: "verdict" }),
    addSet({ table, name: "targets", key: [ipv4Address, inetService], data: [ipv4Address, inetService] }),
    rule(matchFamily(4), matchProtocol("tcp"), matchSet(service, "services"), verdict(accept)),
    rule(matchFamily(4), matchProtocol("tcp"), matchSet(service, "services", { not: true }), verdict(drop)),
    rule(verdictFromMap([l4Protocol, transportPort("dport")], "verdicts")),
    rule(matchFamily(4), matchProtocol("tcp"), lookUp(service, "targets"), dnatToResult(4)),
  );
  assert.deepEqual(ns.list("chain", "inet", "t", "c").slice(3, -2), [
    "ip daddr . tcp dport @services accept",
    "ip daddr . tcp dport != @services drop",
    "meta l4proto . th dport vmap @verdicts",
    "dnat ip to ip daddr . tcp dport map @targets",
  ]);
});

test("source translation", (t) => {
  const ns = new Nftables(t);
  ns.commit(
    addTable(table),
    addChain({ table, name: "c", base: { type: "nat", hook: "postrouting", priority: 100, policy: "drop" } }),
    addRule({ table, chain: "c", expressions: [snat(ip("192.0.2.1"))] }),
  );
  assert.deepEqual(ns.list("chain", "inet", "t", "c").slice(2, 4), [
    "type nat hook postrouting priority srcnat; policy drop;",
    "snat ip to 192.0.2.1",
  ]);
});
