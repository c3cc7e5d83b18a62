import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../address/ip.ts";
import { WireError } from "../../netlink/codec.ts";
import * as captures from "./captures.node.ts";
import { decodeMessage, type Message } from "./message.ts";
import {
  DEFAULT_REQUEST,
  leaseTimes,
  MessageType,
  messageText,
  messageType,
  Option,
  serverId,
  settingsOf,
} from "./options.ts";
import { decodeUdp } from "./packet.ts";

const NONE = parseIp("0.0.0.0")!;
const HOUR = 3_600_000;

/** An ACK with these options; texts are addresses, one after the other, or with `"` in front the text itself. */
function ack(options: Record<number, string | number[]>, yiaddr = "192.0.2.50"): Message {
  const bytesOf = (value: string | number[]) => {
    if (typeof value !== "string") return value;
    if (value.startsWith('"')) return [...Buffer.from(value.slice(1), "latin1")];
    return value.split(" ").flatMap((text) => [...parseIp(text)!.bytes]);
  };
  return {
    op: 2,
    xid: 1,
    secs: 0,
    broadcast: false,
    ciaddr: NONE,
    yiaddr: parseIp(yiaddr)!,
    siaddr: NONE,
    giaddr: NONE,
    chaddr: new Uint8Array(6),
    options: new Map(
      Object.entries(options).map(([code, value]) => [Number(code), Uint8Array.from(bytesOf(value))]),
    ),
  };
}

function u32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** As JSON, and what was said about it. */
function settings(
  message: Message,
  wish: { priority?: number; mtu?: boolean } = {},
): { told: unknown; log: string[] } {
  const log: string[] = [];
  const told = settingsOf(message, { mtu: true, ...wish }, (text) => log.push(text));
  return { told: JSON.parse(JSON.stringify(told)), log };
}

test("what real servers say", () => {
  const answers = Object.fromEntries(
    Object.entries(captures).map(([name, packet]) => [name, decodeMessage(decodeUdp(packet)!.payload)]),
  );
  const told = (name: string) => {
    const message = answers[name]!;
    assert.equal(messageType(message), MessageType.Ack);
    assert.equal(`${serverId(message)}`, "192.0.2.1");
    const { told, log } = settings(message);
    assert.deepEqual(log, []);
    return told;
  };
  const nameservers = ["192.0.2.53", "198.51.100.53"];

  assert.deepEqual(told("DNSMASQ_ACK"), {
    ips: [{ address: "192.0.2.54/24", gateway: "192.0.2.1" }],
    routes: [
      { dst: "10.17.0.0/16", gw: "192.0.2.7" },
      { dst: "0.0.0.0/0", gw: "192.0.2.1" },
    ],
    dns: {
      nameservers,
      domain: "office.example",
      search: ["eng.office.example", "lab.office.example", "example.org"],
    },
    mtu: 1400,
  });
  assert.deepEqual(told("DNSMASQ_OVERLOADED_ACK"), {
    ips: [{ address: "192.0.2.54/24", gateway: "192.0.2.1" }],
    routes: [
      { dst: "10.17.0.0/16", gw: "192.0.2.7" },
      { dst: "10.18.0.0/16", gw: "192.0.2.8" },
      { dst: "0.0.0.0/0", gw: "192.0.2.1" },
    ],
    dns: {
      nameservers,
      domain: "office.example",
      search: ["eng.office.example", "lab.office.example", "campus.university.example"],
    },
    mtu: 1400,
  });
  // These servers have classless routes, and a router that does not count beside them.
  const sparse = (ip: string, mtu?: number) => ({
    ips: [{ address: `${ip}/24` }],
    routes: [{ dst: "10.17.0.0/16", gw: "192.0.2.7" }],
    dns: { nameservers, domain: "office.example", search: ["eng.office.example", "office.example"] },
    ...(mtu !== undefined && { mtu }),
  });
  assert.deepEqual(told("UDHCPD_ACK"), sparse("192.0.2.51", 1400));
  assert.deepEqual(told("KEA_ACK"), sparse("192.0.2.50"));

  assert.deepEqual(leaseTimes(answers["DNSMASQ_ACK"]!), {
    lease: HOUR,
    renew: HOUR / 2,
    rebind: (HOUR * 7) / 8,
  });
  assert.deepEqual(leaseTimes(answers["UDHCPD_ACK"]!), { lease: 600e3, renew: 300e3, rebind: 525e3 });
  assert.deepEqual(leaseTimes(answers["KEA_ACK"]!), { lease: 600e3, renew: 200e3, rebind: 400e3 });

  const nak = answers["DNSMASQ_NAK"]!;
  assert.equal(messageType(nak), MessageType.Nak);
  assert.equal(messageText(nak), "address not available");
});

test("the type, the server and the text of a message", () => {
  const type = (...value: number[]) => messageType(ack({ [Option.MessageType]: value }));
  assert.equal(type(5), MessageType.Ack);
  for (const value of [[], [5, 5]]) assert.equal(type(...value), undefined);
  assert.equal(messageType(ack({})), undefined);

  const server = (value: string | number[]) => serverId(ack({ [Option.ServerId]: value }))?.toString();
  assert.equal(server("192.0.2.1"), "192.0.2.1");
  for (const value of [
    "0.0.0.0",
    "127.0.0.1",
    "224.0.0.1",
    "255.255.255.255",
    [192, 0, 2],
    "192.0.2.1 192.0.2.1",
  ])
    assert.equal(server(value), undefined, String(value));
  assert.equal(serverId(ack({})), undefined);

  assert.equal(messageText(ack({})), "");
  assert.equal(messageText(ack({ [Option.Message]: '"wrong\nnetwork\x1b[2J\0\0' })), "wrong?network?[2J");
});

test("the times of a lease, and what is made of those that make no sense", () => {
  const rows: [
    what: string,
    options: Record<number, number[]>,
    [lease: number, renew: number, rebind: number],
  ][] = [
    ["all told", { 51: u32(100), 58: u32(20), 59: u32(60) }, [100e3, 20e3, 60e3]],
    ["the lease alone", { 51: u32(80) }, [80e3, 40e3, 70e3]],
    ["T1 alone", { 51: u32(80), 58: u32(10) }, [80e3, 10e3, 70e3]],
    ["T2 alone", { 51: u32(80), 59: u32(60) }, [80e3, 40e3, 60e3]],
    ["the shortest", { 51: u32(1) }, [1e3, 500, 875]],
    ["T1 after T2", { 51: u32(80), 58: u32(60), 59: u32(50) }, [80e3, 40e3, 70e3]],
    ["T1 is T2", { 51: u32(80), 58: u32(50), 59: u32(50) }, [80e3, 40e3, 70e3]],
    ["T2 at the end", { 51: u32(80), 58: u32(10), 59: u32(80) }, [80e3, 40e3, 70e3]],
    ["T1 after the end", { 51: u32(80), 58: u32(90) }, [80e3, 40e3, 70e3]],
    ["zeros", { 51: u32(80), 58: u32(0), 59: u32(0) }, [80e3, 40e3, 70e3]],
    ["T1 infinite", { 51: u32(80), 58: u32(0xffffffff) }, [80e3, 40e3, 70e3]],
    ["a lease of 0", { 51: u32(0) }, [HOUR, HOUR / 2, (HOUR * 7) / 8]],
    ["no lease time", {}, [HOUR, HOUR / 2, (HOUR * 7) / 8]],
    ["a lease time of 3 bytes", { 51: [0, 1, 0] }, [HOUR, HOUR / 2, (HOUR * 7) / 8]],
    ["infinity", { 51: u32(0xffffffff) }, [Infinity, Infinity, Infinity]],
    ["infinity with T1 and T2", { 51: u32(0xffffffff), 58: u32(1), 59: u32(2) }, [Infinity, 1e3, 2e3]],
    ["the longest but one", { 51: u32(0xfffffffe) }, [0xfffffffe * 1e3, 0xfffffffe * 500, 0xfffffffe * 875]],
  ];
  for (const [what, options, [lease, renew, rebind]] of rows)
    assert.deepEqual(leaseTimes(ack(options)), { lease, renew, rebind }, what);
});

test("what there was before there were options: an address alone", () => {
  assert.deepEqual(settings(ack({})), { told: { ips: [{ address: "192.0.2.50/24" }], routes: [] }, log: [] });
});

test("the mask, or the address's class", () => {
  const rows: [
    yiaddr: string,
    mask: string | number[] | undefined,
    address: string,
    log: RegExp | undefined,
  ][] = [
    ["10.1.2.3", "255.255.255.0", "10.1.2.3/24", undefined],
    ["10.1.2.3", "255.255.240.0", "10.1.2.3/20", undefined],
    ["10.1.2.3", "128.0.0.0", "10.1.2.3/1", undefined],
    ["10.1.2.3", "255.255.255.255", "10.1.2.3/32", undefined],
    ["10.1.2.3", "255.255.255.254", "10.1.2.3/31", undefined],
    ["10.1.2.3", undefined, "10.1.2.3/8", undefined],
    ["172.16.2.3", undefined, "172.16.2.3/16", undefined],
    ["192.0.2.3", undefined, "192.0.2.3/24", undefined],
    ["240.0.2.3", undefined, "240.0.2.3/32", undefined],
    ["10.1.2.3", "255.0.255.0", "10.1.2.3/8", /^option 1 is left out: a mask of 0xff00ff00$/],
    ["10.1.2.3", "0.0.0.255", "10.1.2.3/8", /^option 1 is left out: a mask/],
    ["10.1.2.3", "0.0.0.0", "10.1.2.3/8", /^option 1 is left out: a mask/],
    ["10.1.2.3", [255, 255, 255], "10.1.2.3/8", /^option 1 is left out: 3 bytes instead of 4$/],
    ["10.1.2.3", [255, 255, 255, 0, 0], "10.1.2.3/8", /^option 1 is left out: 5 bytes/],
    ["10.1.2.3", [], "10.1.2.3/8", /^option 1 is left out: 0 bytes/],
  ];
  for (const [yiaddr, mask, address, expected] of rows) {
    const { told, log } = settings(ack(mask === undefined ? {} : { 1: mask }, yiaddr));
    assert.deepEqual((told as { ips: unknown }).ips, [{ address }], `${yiaddr} ${mask}`);
    assert.equal(log.length, expected ? 1 : 0, log.join());
    if (expected) assert.match(log[0]!, expected);
  }
});

test("an address that no host may have is refused", () => {
  const rows: [yiaddr: string, mask: string][] = [
    ["0.0.0.0", "255.255.255.0"],
    ["0.1.2.3", "255.255.255.0"],
    ["127.0.0.1", "255.0.0.0"],
    ["224.0.0.1", "255.255.255.0"],
    ["239.1.2.3", "255.255.255.0"],
    ["255.255.255.255", "255.255.255.0"],
    ["192.0.2.255", "255.255.255.0"],
    ["192.0.2.63", "255.255.255.192"],
  ];
  for (const [yiaddr, mask] of rows)
    assert.throws(() => settings(ack({ 1: mask }, yiaddr)), WireError, yiaddr);
  assert.doesNotThrow(() => settings(ack({ 1: "255.255.0.0" }, "10.0.2.255")));
  assert.doesNotThrow(() => settings(ack({ 1: "255.255.255.254" }, "192.0.2.63")));
});

test("names and name servers", () => {
  const rows: [
    what: string,
    options: Record<number, string | number[]>,
    dns: unknown,
    log: RegExp | undefined,
  ][] = [
    ["servers", { 6: "192.0.2.1 8.8.8.8" }, { nameservers: ["192.0.2.1", "8.8.8.8"] }, undefined],
    ["a server and what fills up", { 6: "192.0.2.1 0.0.0.0" }, { nameservers: ["192.0.2.1"] }, undefined],
    ["only what fills up", { 6: "0.0.0.0 0.0.0.0" }, undefined, undefined],
    ["no whole address", { 6: [192, 0, 2] }, undefined, /^option 6 is left out/],
    ["one and a half", { 6: [192, 0, 2, 1, 8, 8] }, undefined, /^option 6 is left out/],
    ["none", { 6: [] }, undefined, undefined],
    ["domain", { 15: '"office.example' }, { domain: "office.example" }, undefined],
    ["a NUL behind", { 15: '"office.example\0' }, { domain: "office.example" }, undefined],
    ["a dot behind", { 15: '"office.example.' }, { domain: "office.example" }, undefined],
    ["an empty domain", { 15: [] }, undefined, /^option 15 is left out: "" is no domain name$/],
    [
      "another line",
      { 15: '"a\nnameserver 192.0.2.66' },
      undefined,
      /^option 15 is left out: "a\?nameserver/,
    ],
    ["two words", { 15: '"a.example b.example' }, undefined, /^option 15 is left out/],
    ["search", { 119: [1, 97, 0, 1, 98, 0xc0, 0] }, { search: ["a", "b.a"] }, undefined],
    ["a search list that loops", { 119: [1, 97, 0xc0, 0] }, undefined, /^option 119 is left out/],
    ["another line in it", { 119: [3, 97, 10, 98, 0] }, undefined, /^option 119 is left out/],
    [
      "a bad one beside a good one",
      { 15: '"a b', 6: "192.0.2.1" },
      { nameservers: ["192.0.2.1"] },
      /^option 15/,
    ],
  ];
  for (const [what, options, dns, expected] of rows) {
    const { told, log } = settings(ack(options));
    assert.deepEqual((told as { dns?: unknown }).dns, dns, what);
    assert.equal(log.length, expected ? 1 : 0, `${what}: ${log}`);
    if (expected) assert.match(log[0]!, expected);
  }
});

test("the MTU, if it is wished for and one that every host takes", () => {
  const rows: [value: number[], mtu: number | undefined][] = [
    [[0x05, 0x78], 1400],
    [[0x23, 0x28], 9000],
    [[0xff, 0xff], 65535],
    [[0x02, 0x40], 576],
    [[0x02, 0x3f], undefined],
    [[0x00, 0x00], undefined],
    [[0x05], undefined],
    [[0x05, 0x78, 0x00], undefined],
  ];
  for (const [value, mtu] of rows) {
    const { told, log } = settings(ack({ 26: value }));
    assert.equal((told as { mtu?: number }).mtu, mtu, `[${value}]`);
    assert.equal(log.length, mtu === undefined ? 1 : 0);
  }
  assert.deepEqual(settings(ack({ 26: [0x05, 0x78] }), { mtu: false }), settings(ack({})));
});

test("a router is the default route, and the gateway", () => {
  assert.deepEqual(settings(ack({ 1: "255.255.255.0", 3: "192.0.2.1 192.0.2.2" }), { priority: 100 }).told, {
    ips: [{ address: "192.0.2.50/24", gateway: "192.0.2.1" }],
    routes: [{ dst: "0.0.0.0/0", gw: "192.0.2.1", priority: 100 }],
  });
});

test("classless routes count alone, static routes beside the router", () => {
  const router = { 3: "192.0.2.1" };
  const statics = { 33: "10.0.0.0 192.0.2.9 192.168.7.0 192.0.2.8" };
  const classless = { 121: [16, 10, 17, 192, 0, 2, 7] };
  const cases: [options: Record<number, string | number[]>, routes: string[], gateway: string | undefined][] =
    [
      [router, ["0.0.0.0/0 192.0.2.1"], "192.0.2.1"],
      [
        { ...statics, ...router },
        ["10.0.0.0/8 192.0.2.9", "192.168.7.0/24 192.0.2.8", "0.0.0.0/0 192.0.2.1"],
        "192.0.2.1",
      ],
      [statics, ["10.0.0.0/8 192.0.2.9", "192.168.7.0/24 192.0.2.8"], undefined],
      [{ ...classless, ...statics, ...router }, ["10.17.0.0/16 192.0.2.7"], undefined],
      [{ 121: [0, 192, 0, 2, 9], ...router }, ["0.0.0.0/0 192.0.2.9"], "192.0.2.9"],
      // What cannot be read does not count.
      [{ 121: [33, 1, 2, 3, 4, 5, 192, 0, 2, 7], ...router }, ["0.0.0.0/0 192.0.2.1"], "192.0.2.1"],
      [{ 33: [1, 2, 3], ...router }, ["0.0.0.0/0 192.0.2.1"], "192.0.2.1"],
      [{ 3: "0.0.0.0" }, [], undefined],
      [{ 3: "0.0.0.0 192.0.2.1" }, ["0.0.0.0/0 192.0.2.1"], "192.0.2.1"],
    ];
  for (const [options, routes, gateway] of cases) {
    const told = settingsOf(ack({ 1: "255.255.255.0", ...options }), { mtu: false }, () => {});
    assert.deepEqual(
      told.routes!.map(({ dst, gw }) => `${dst} ${gw}`),
      routes,
    );
    assert.equal(told.ips![0]!.gateway?.toString(), gateway);
  }
});

test("classless routes are asked for before those that they replace", () => {
  const place = (code: number) => DEFAULT_REQUEST.indexOf(code);
  assert.ok(place(121) >= 0 && place(121) < place(33) && place(121) < place(3));
  assert.equal(new Set(DEFAULT_REQUEST).size, DEFAULT_REQUEST.length);
});
