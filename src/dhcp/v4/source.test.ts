import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ip, parseIp } from "../../address/ip.ts";
import { errno } from "../../host/errno.ts";
import { SysError } from "../../host/host.ts";
import { InterfaceGone } from "../container-interface.ts";
import type { Wish } from "../protocol.ts";
import type { Lease, Timing } from "../source.ts";
import { MessageType, Option } from "./options.ts";
import { ACK, NAK, OFFER, type Reply, Scripted } from "./scripted.node.ts";
import { LinkNotReady } from "./transport.ts";

interface Scenario {
  readonly name: string;
  /** What servers answer to the first message, the second, … */
  readonly script: readonly (Reply | readonly Reply[])[];
  readonly wish?: Partial<Wish>;
  readonly timing?: Partial<Timing>;
  /** Milliseconds. */
  readonly for: number;
  /** What happens besides, and when. */
  readonly at?: readonly (readonly [ms: number, act: (client: Scripted) => void])[];
  readonly expect: readonly string[];
}

const SILENCE: readonly Reply[] = [];
const SELECT = ["0 DISCOVER", "1 REQUEST 10.0.0.5 of 10.0.0.1", "1 who has 10.0.0.5?"];
const BOUND = [...SELECT, "51 bound: 10.0.0.5/24, ends at 60001"];
const RENEW = "REQUEST from 10.0.0.5 to 10.0.0.1 by 02:00:00:00:00:01";
const DOWN = () => new LinkNotReady("eth0 has no carrier");

const scenarios: readonly Scenario[] = [
  {
    name: "a lease is got when nobody has claimed its address in time",
    script: [OFFER, ACK],
    for: 29_000,
    expect: BOUND,
  },
  {
    name: "without a probe it is got with the ACK",
    script: [OFFER, ACK],
    timing: { probe: 0 },
    for: 100,
    expect: ["0 DISCOVER", "1 REQUEST 10.0.0.5 of 10.0.0.1", "2 bound: 10.0.0.5/24, ends at 60001"],
  },
  {
    name: "an ACK that takes longer than the probe's window is waited for no longer than that",
    script: [OFFER, { ...ACK, after: 400 }],
    for: 1000,
    expect: [...SELECT, "401 bound: 10.0.0.5/24, ends at 60001"],
  },
  {
    name: "a DISCOVER that is not answered is repeated, soon at first, then in pauses that double up to the longest",
    script: [],
    timing: { resendMax: 10_000 },
    for: 31_000,
    expect: [
      "0 DISCOVER",
      "50 DISCOVER",
      "300 DISCOVER",
      "2300 DISCOVER",
      "2300 log: no DHCP server answers",
      "6300 DISCOVER",
      "14300 DISCOVER",
      "22300 DISCOVER",
      "30300 DISCOVER",
    ],
  },
  {
    name: "a REQUEST that is not answered is repeated; then all servers are asked again",
    script: [OFFER, SILENCE, SILENCE, SILENCE, OFFER, ACK],
    for: 11_000,
    expect: [
      ...SELECT,
      "2001 REQUEST 10.0.0.5 of 10.0.0.1",
      "6001 REQUEST 10.0.0.5 of 10.0.0.1",
      "10001 log: server 10.0.0.1 offers 10.0.0.5, but does not give it",
      "10001 DISCOVER",
      "10002 REQUEST 10.0.0.5 of 10.0.0.1",
      "10002 who has 10.0.0.5?",
      "10052 bound: 10.0.0.5/24, ends at 70002",
    ],
  },
  {
    name: "the time of a lease counts from the REQUEST that was sent last",
    script: [OFFER, SILENCE, ACK],
    for: 3000,
    expect: [...SELECT, "2001 REQUEST 10.0.0.5 of 10.0.0.1", "2002 bound: 10.0.0.5/24, ends at 62001"],
  },
  {
    name: "of two offers the first is taken",
    script: [[OFFER, { ...OFFER, server: "10.0.0.2", address: "10.0.0.77", after: 2 }], ACK],
    for: 100,
    expect: BOUND,
  },
  {
    name: "what is not for us, not from the server that was asked, or no offer, is ignored",
    script: [
      [
        { ...OFFER, wrong: { xid: 7 } },
        { ...OFFER, wrong: { chaddr: Uint8Array.of(2, 0, 0, 0, 0, 1) } },
        { ...OFFER, wrong: { op: 1 } },
        { ...OFFER, server: undefined },
        { ...OFFER, address: "0.0.0.0" },
        { ...OFFER, address: "127.0.0.1" },
        { ...OFFER, address: "224.0.0.1" },
        { ...OFFER, address: "255.255.255.255" },
        { ...OFFER, type: undefined },
        ACK,
        NAK,
        { ...OFFER, after: 3 },
      ],
      [
        { ...ACK, server: "10.0.0.2" },
        { ...NAK, server: "10.0.0.2" },
        { ...ACK, wrong: { xid: 7 } },
        { ...ACK, server: undefined },
        { ...OFFER, address: "10.0.0.6" },
        { ...ACK, after: 100 },
      ],
    ],
    for: 200,
    expect: [
      "0 DISCOVER",
      "3 REQUEST 10.0.0.5 of 10.0.0.1",
      "3 who has 10.0.0.5?",
      "103 bound: 10.0.0.5/24, ends at 60003",
    ],
  },
  {
    name: "an ACK whose address makes no sense is ignored, and told",
    script: [
      OFFER,
      [
        { ...ACK, address: "10.0.0.255" },
        { ...ACK, after: 100 },
      ],
    ],
    for: 200,
    expect: [
      ...SELECT,
      "2 log: an ACK of server 10.0.0.1 is ignored: 10.0.0.255/24 is no address for a host",
      "101 bound: 10.0.0.5/24, ends at 60001",
    ],
  },
  {
    name: "a server that refuses is asked anew at once, then in pauses that double",
    script: [OFFER, NAK, OFFER, NAK, OFFER, NAK, OFFER],
    timing: { probe: 0 },
    for: 6_100,
    expect: [
      "0 DISCOVER",
      "1 REQUEST 10.0.0.5 of 10.0.0.1",
      "2 log: server 10.0.0.1 refuses 10.0.0.5: no, never?",
      "2 DISCOVER",
      "3 REQUEST 10.0.0.5 of 10.0.0.1",
      "4 log: server 10.0.0.1 refuses 10.0.0.5: no, never?",
      "2004 DISCOVER",
      "2005 REQUEST 10.0.0.5 of 10.0.0.1",
      "2006 log: server 10.0.0.1 refuses 10.0.0.5: no, never?",
      "6006 DISCOVER",
      "6007 REQUEST 10.0.0.5 of 10.0.0.1",
    ],
  },
  {
    name: "at T1 the server is asked for more time",
    script: [OFFER, ACK, ACK, { ...ACK, lease: 120 }],
    for: 89_000,
    expect: [
      ...BOUND,
      `30001 ${RENEW}`,
      "30002 bound: 10.0.0.5/24, ends at 90001",
      `60001 ${RENEW}`,
      "60002 bound: 10.0.0.5/24, ends at 180001",
    ],
  },
  {
    name: "a server that does not extend is asked again in half of the time left, from T2 on all are, then the lease ends",
    script: [OFFER, ACK],
    for: 60_100,
    expect: [
      ...BOUND,
      `30001 ${RENEW}`,
      `41251 ${RENEW}`,
      `46876 ${RENEW}`,
      `50626 ${RENEW}`,
      "52501 REQUEST from 10.0.0.5",
      "52501 log: server 10.0.0.1 does not extend the lease of 10.0.0.5: all servers are asked",
      "56251 REQUEST from 10.0.0.5",
      "60001 lost: the lease of 10.0.0.5 has ended",
      "60001 DISCOVER 10.0.0.5",
    ],
  },
  {
    name: "a lease of a few seconds: the same, faster",
    script: [OFFER, { ...ACK, lease: 4 }],
    for: 4_100,
    expect: [
      ...SELECT,
      "51 bound: 10.0.0.5/24, ends at 4001",
      `2001 ${RENEW}`,
      `2751 ${RENEW}`,
      `3126 ${RENEW}`,
      `3376 ${RENEW}`,
      "3501 REQUEST from 10.0.0.5",
      "3501 log: server 10.0.0.1 does not extend the lease of 10.0.0.5: all servers are asked",
      "3751 REQUEST from 10.0.0.5",
      "4001 lost: the lease of 10.0.0.5 has ended",
      "4001 DISCOVER 10.0.0.5",
    ],
  },
  {
    name: "a lease of a day: the pause is a minute at least, and answers are awaited for ten seconds",
    script: [
      OFFER,
      { ...ACK, lease: 86_400 },
      { ...ACK, after: 10_500 },
      { ...ACK, after: 9_500, lease: 120 },
    ],
    for: 59_521_000,
    expect: [
      ...SELECT,
      "51 bound: 10.0.0.5/24, ends at 86400001",
      `43200001 ${RENEW}`,
      `59400001 ${RENEW}`,
      "59409501 bound: 10.0.0.5/24, ends at 59520001",
      ...["59460001", "59482501", "59493751", "59501251"].map((at) => `${at} ${RENEW}`),
      "59505001 REQUEST from 10.0.0.5",
      "59505001 log: server 10.0.0.1 does not extend the lease of 10.0.0.5: all servers are asked",
      "59512501 REQUEST from 10.0.0.5",
      "59520001 lost: the lease of 10.0.0.5 has ended",
      "59520001 DISCOVER 10.0.0.5",
    ],
  },
  {
    name: "another server's answer counts from T2 on",
    script: [
      OFFER,
      ACK,
      [
        { ...ACK, server: "10.0.0.2" },
        { ...NAK, server: "10.0.0.2" },
      ],
      SILENCE,
      SILENCE,
      SILENCE,
      { ...ACK, server: "10.0.0.2" },
      { ...ACK, server: "10.0.0.2" },
    ],
    for: 83_000,
    expect: [
      ...BOUND,
      `30001 ${RENEW}`,
      `41251 ${RENEW}`,
      `46876 ${RENEW}`,
      `50626 ${RENEW}`,
      "52501 REQUEST from 10.0.0.5",
      "52501 log: server 10.0.0.1 does not extend the lease of 10.0.0.5: all servers are asked",
      "52502 bound: 10.0.0.5/24, ends at 112501",
      "82501 REQUEST from 10.0.0.5 to 10.0.0.2 by 02:00:00:00:00:01",
      "82502 bound: 10.0.0.5/24, ends at 142501",
    ],
  },
  {
    name: "refused at renewal: the lease is lost, and another address is sought",
    script: [OFFER, ACK, NAK, { ...OFFER, address: "10.0.0.6" }, { ...ACK, address: "10.0.0.6" }],
    for: 31_000,
    expect: [
      ...BOUND,
      `30001 ${RENEW}`,
      "30002 lost: server 10.0.0.1 refuses 10.0.0.5: no, never?",
      "30002 DISCOVER",
      "30003 REQUEST 10.0.0.6 of 10.0.0.1",
      "30003 who has 10.0.0.6?",
      "30053 bound: 10.0.0.6/24, ends at 90003",
    ],
  },
  {
    name: "another address at renewal: it is taken when nobody has it",
    script: [OFFER, ACK, { ...ACK, address: "10.0.0.6" }],
    for: 31_000,
    expect: [
      ...BOUND,
      `30001 ${RENEW}`,
      "30002 who has 10.0.0.6?",
      "30052 bound: 10.0.0.6/24, ends at 90001",
    ],
  },
  {
    name: "another address at renewal, which somebody has",
    script: [OFFER, ACK, { ...ACK, address: "10.0.0.6" }],
    at: [[30_010, (client) => client.claim("10.0.0.6")]],
    for: 31_500,
    expect: [
      ...BOUND,
      `30001 ${RENEW}`,
      "30002 who has 10.0.0.6?",
      "30010 DECLINE 10.0.0.6 of 10.0.0.1",
      "30010 lost: 10.0.0.6, given by server 10.0.0.1, is in use by 02:00:00:00:00:66",
      "31010 DISCOVER",
    ],
  },
  {
    name: "after the end of a lease the same address is asked for",
    script: [OFFER, { ...ACK, lease: 1 }, ...new Array(6).fill(SILENCE), OFFER, ACK],
    timing: { probe: 0 },
    for: 1_100,
    expect: [
      "0 DISCOVER",
      "1 REQUEST 10.0.0.5 of 10.0.0.1",
      "2 bound: 10.0.0.5/24, ends at 1001",
      ...["501", "689", "782", "845"].map((at) => `${at} ${RENEW}`),
      "876 REQUEST from 10.0.0.5",
      "876 log: server 10.0.0.1 does not extend the lease of 10.0.0.5: all servers are asked",
      "939 REQUEST from 10.0.0.5",
      "1001 lost: the lease of 10.0.0.5 has ended",
      "1001 DISCOVER 10.0.0.5",
      "1002 REQUEST 10.0.0.5 of 10.0.0.1",
      "1003 bound: 10.0.0.5/24, ends at 61002",
    ],
  },
  {
    name: "a lease without end is never renewed",
    script: [OFFER, { ...ACK, lease: 0xffffffff }],
    for: 1e12,
    expect: [...SELECT, "51 bound: 10.0.0.5/24, ends at Infinity"],
  },
  {
    name: "an address that is in use is declined, and not taken when it is offered again",
    script: [
      OFFER,
      { ...ACK, after: 20 },
      SILENCE,
      OFFER,
      { ...OFFER, address: "10.0.0.6" },
      { ...ACK, address: "10.0.0.6" },
    ],
    at: [[10, (client) => client.claim("10.0.0.5")]],
    for: 3_500,
    expect: [
      ...SELECT,
      "21 DECLINE 10.0.0.5 of 10.0.0.1",
      "21 log: 10.0.0.5, given by server 10.0.0.1, is in use by 02:00:00:00:00:66",
      "1021 DISCOVER",
      "3021 DISCOVER",
      "3021 log: no DHCP server answers",
      "3022 REQUEST 10.0.0.6 of 10.0.0.1",
      "3022 who has 10.0.0.6?",
      "3072 bound: 10.0.0.6/24, ends at 63022",
    ],
  },
  {
    name: "in use again: the second pause is the one of the RFC, and by then the first address may be free",
    script: [
      OFFER,
      ACK,
      SILENCE,
      { ...OFFER, address: "10.0.0.6" },
      { ...ACK, address: "10.0.0.6" },
      SILENCE,
      OFFER,
      ACK,
    ],
    at: [
      [10, (client) => client.claim("10.0.0.5")],
      [1_030, (client) => client.claim("10.0.0.6")],
    ],
    for: 11_500,
    expect: [
      ...SELECT,
      "10 DECLINE 10.0.0.5 of 10.0.0.1",
      "10 log: 10.0.0.5, given by server 10.0.0.1, is in use by 02:00:00:00:00:66",
      "1010 DISCOVER",
      "1011 REQUEST 10.0.0.6 of 10.0.0.1",
      "1011 who has 10.0.0.6?",
      "1030 DECLINE 10.0.0.6 of 10.0.0.1",
      "1030 log: 10.0.0.6, given by server 10.0.0.1, is in use by 02:00:00:00:00:66",
      "11030 DISCOVER",
      "11031 REQUEST 10.0.0.5 of 10.0.0.1",
      "11031 who has 10.0.0.5?",
      "11081 bound: 10.0.0.5/24, ends at 71031",
    ],
  },
  {
    name: "claimed within two seconds after it was got: declined, and lost",
    script: [OFFER, ACK],
    at: [[2_000, (client) => client.claim("10.0.0.5")]],
    for: 2_900,
    expect: [
      ...BOUND,
      "2000 DECLINE 10.0.0.5 of 10.0.0.1",
      "2000 lost: 10.0.0.5, given by server 10.0.0.1, is in use by 02:00:00:00:00:66",
    ],
  },
  {
    name: "claimed later: nobody listens any more",
    script: [OFFER, ACK],
    at: [[2_100, (client) => client.claim("10.0.0.5")]],
    for: 3_000,
    expect: BOUND,
  },
  {
    name: "a link without carrier is looked at in short steps",
    script: [OFFER, ACK],
    at: [
      [0, (client) => (client.problem = DOWN)],
      [35, (client) => (client.problem = undefined)],
    ],
    for: 100,
    expect: [
      "40 DISCOVER",
      "41 REQUEST 10.0.0.5 of 10.0.0.1",
      "41 who has 10.0.0.5?",
      "91 bound: 10.0.0.5/24, ends at 60041",
    ],
  },
  {
    name: "a link that has been without carrier for long is looked at less often, and told",
    script: [],
    at: [
      [0, (client) => (client.problem = DOWN)],
      [600_000, (client) => (client.problem = undefined)],
    ],
    for: 604_000,
    expect: ["985 log: eth0 has no carrier", "603941 DISCOVER", "603991 DISCOVER"],
  },
  {
    name: "what the kernel refuses for now is tried again",
    script: [OFFER, ACK],
    at: [
      [0, (client) => (client.problem = () => new SysError("send", errno.ENETDOWN, "frame"))],
      [5, (client) => (client.problem = undefined)],
    ],
    for: 20,
    expect: ["10 DISCOVER", "11 REQUEST 10.0.0.5 of 10.0.0.1", "11 who has 10.0.0.5?"],
  },
  {
    name: "no carrier at renewal: as soon as it is there; the end of the lease is not missed",
    script: [OFFER, { ...ACK, lease: 20 }, ACK],
    at: [
      [9_000, (client) => (client.problem = DOWN)],
      [10_005, (client) => (client.problem = undefined)],
      [39_000, (client) => (client.problem = DOWN)],
    ],
    for: 70_300,
    expect: [
      ...SELECT,
      "51 bound: 10.0.0.5/24, ends at 20001",
      `10011 ${RENEW}`,
      "10012 bound: 10.0.0.5/24, ends at 70011",
      "40996 log: eth0 has no carrier",
      "70011 lost: the lease of 10.0.0.5 has ended",
    ],
  },
  {
    name: "the interface is gone when it is to be used",
    script: [OFFER, ACK],
    at: [[100, (client) => (client.problem = () => new InterfaceGone("there is no interface eth0"))]],
    for: 100_000,
    expect: [...BOUND, "30001 gone: there is no interface eth0"],
  },
  {
    name: "release tells the server",
    script: [OFFER, ACK],
    at: [[5_000, (client) => client.call((source) => source.release())]],
    for: 100_000,
    expect: [...BOUND, "5000 RELEASE of 10.0.0.1 from 10.0.0.5 to 10.0.0.1 by 02:00:00:00:00:01"],
  },
  {
    name: "release of what was given, but not told yet",
    script: [OFFER, ACK],
    at: [[40, (client) => client.call((source) => source.release())]],
    for: 100_000,
    expect: [...SELECT, "40 RELEASE of 10.0.0.1 from 10.0.0.5 to 10.0.0.1 by 02:00:00:00:00:01"],
  },
  {
    name: "release of what a server was asked for: it may have given it",
    script: [OFFER, SILENCE],
    at: [[40, (client) => client.call((source) => source.release())]],
    for: 100_000,
    expect: [...SELECT, "40 RELEASE of 10.0.0.1 from 10.0.0.5 to 10.0.0.1 by 02:00:00:00:00:01"],
  },
  {
    name: "release without a lease, and of an interface that is gone",
    script: [OFFER, ACK],
    at: [
      [0, (client) => client.call((source) => source.release())],
      [1_000, (client) => client.call((source) => source.start())],
      [2_000, (client) => (client.problem = () => new InterfaceGone("there is no interface eth0"))],
      [2_001, (client) => client.call((source) => source.release())],
    ],
    for: 100_000,
    expect: [
      "1000 DISCOVER",
      "1001 REQUEST 10.0.0.5 of 10.0.0.1",
      "1001 who has 10.0.0.5?",
      "1051 bound: 10.0.0.5/24, ends at 61001",
    ],
  },
];

for (const scenario of scenarios)
  test(scenario.name, () => {
    const client = new Scripted(scenario.script, scenario);
    play(client, scenario);
    assert.deepEqual(client.transcript, scenario.expect);
    leavesNothing(client);
  });

test("a lease goes on in another process, in whatever phase it is by then", () => {
  const rows: [away: number, script: Scenario["script"], expect: string[]][] = [
    [1_000, [ACK], [`30001 ${RENEW}`, "30002 bound: 10.0.0.5/24, ends at 90001"]],
    [35_000, [ACK], [`35000 ${RENEW}`, "35001 bound: 10.0.0.5/24, ends at 95000"]],
    [53_000, [ACK], ["53000 REQUEST from 10.0.0.5", "53001 bound: 10.0.0.5/24, ends at 113000"]],
    [
      70_000,
      [OFFER, ACK],
      [
        "70000 lost: the lease of 10.0.0.5 has ended",
        "70000 DISCOVER 10.0.0.5",
        "70001 REQUEST 10.0.0.5 of 10.0.0.1",
        "70001 who has 10.0.0.5?",
        "70051 bound: 10.0.0.5/24, ends at 130001",
      ],
    ],
  ];
  const [lease] = run([OFFER, ACK], 100).leases;
  for (const [away, script, expect] of rows) {
    const client = new Scripted(script);
    client.scheduler.advance(away);
    client.call((source) => source.start(stored(lease!)));
    client.scheduler.advance(29_500);
    assert.deepEqual(client.transcript, expect);
    leavesNothing(client);
  }
});

test("a lease without end goes on without end", () => {
  const [lease] = run([OFFER, { ...ACK, lease: 0xffffffff }], 100).leases;
  const client = new Scripted([]);
  client.call((source) => source.start(stored(lease!)));
  client.scheduler.advance(1e12);
  assert.deepEqual(client.transcript, []);
  leavesNothing(client);
});

test("a lease that cannot be read is lost", () => {
  const [lease] = run([OFFER, ACK], 100).leases;
  for (const memory of [{}, { ...lease!.memory, server: "x" }, { ...lease!.memory, address: "fd00::1" }]) {
    const client = new Scripted([]);
    client.call((source) => source.start({ ...lease!, memory }));
    client.scheduler.advance(1);
    assert.deepEqual(client.transcript, ["0 DISCOVER", "0 lost: the lease cannot be read"]);
    client.call((source) => source.stop());
    leavesNothing(client);
  }
});

test("after stop nothing is sent and nothing told, at whatever time it was", () => {
  // Expiry, a decline, a missing carrier and a renewal are on the way.
  const script = [OFFER, { ...ACK, lease: 2 }, SILENCE, ACK, SILENCE, NAK, OFFER, ACK, SILENCE];
  for (let at = 0; at < 12_000; at += 7) {
    const client = new Scripted(script);
    const claim = (client: Scripted) => client.claim("10.0.0.5");
    play(client, { for: at, at: [[1_400, claim], ...(at % 2 ? [[60, claim] as const] : [])] });
    client.call((source) => source.stop());
    const { length } = client.transcript;
    leavesNothing(client);
    client.scheduler.advance(100_000);
    assert.equal(client.transcript.length, length, `stopped at ${at}`);
  }
});

test("what is in each message", () => {
  const provide: Wish["provide"] = [
    [12, "web"],
    [60, "plumb"],
  ];
  const client = run([OFFER, ACK, ACK], 31_000, { provide });
  client.call((source) => source.release());
  const all = [
    Option.MessageType,
    Option.ClientId,
    Option.MaxMessageSize,
    Option.ParameterRequestList,
    12,
    60,
  ];
  const { RequestedAddress, ServerId, MessageType: Type, ClientId } = Option;
  const rows: [type: number, options: number[]][] = [
    [MessageType.Discover, all],
    [MessageType.Request, [...all, RequestedAddress, ServerId]],
    [MessageType.Request, all],
    [MessageType.Release, [Type, ClientId, ServerId]],
  ];
  assert.equal(client.sent.length, rows.length);
  for (const [index, [type, options]] of rows.entries()) {
    const message = client.sent[index]!;
    assert.deepEqual([...message.options.keys()], options);
    assert.deepEqual([...message.options.get(Type)!], [type]);
    assert.equal(Buffer.from(message.options.get(ClientId)!).toString(), "\0c/office/eth0");
    assert.equal(message.broadcast, false);
  }
  const [discover] = client.sent;
  assert.deepEqual([...discover!.options.get(Option.ParameterRequestList)!], [1, 3]);
  assert.deepEqual([...discover!.options.get(Option.MaxMessageSize)!], [1500 >> 8, 1500 & 0xff]);
  assert.equal(Buffer.from(discover!.options.get(12)!).toString(), "web");
});

test("what is provided replaces what is ours, but not what the protocol needs", () => {
  const provide: Wish["provide"] = [
    [Option.ClientId, "me"],
    [Option.MessageType, "x"],
    [Option.ServerId, "y"],
    [Option.MaxMessageSize, "\u0002\u0040"],
  ];
  const { sent } = run([OFFER, ACK], 100, { provide, request: [] });
  const [discover, request] = sent.map(({ options }) => options);
  assert.equal(Buffer.from(discover!.get(Option.ClientId)!).toString(), "me");
  assert.deepEqual([...discover!.get(Option.MessageType)!], [MessageType.Discover]);
  assert.deepEqual([...discover!.get(Option.MaxMessageSize)!], [2, 64]);
  assert.equal(discover!.has(Option.ParameterRequestList), false);
  assert.equal(String(new Ip(request!.get(Option.ServerId)!)), "10.0.0.1");
});

test("answers are asked for by broadcast where it is wished, and where the MAC address is shared", () => {
  const rows: [wish: Partial<Wish>, sharesMac: boolean, broadcast: boolean][] = [
    [{}, false, false],
    [{ broadcast: true }, false, true],
    [{}, true, true],
  ];
  for (const [wish, sharesMac, broadcast] of rows) {
    const client = new Scripted([OFFER, ACK], { wish });
    client.sharesMac = sharesMac;
    play(client, { for: 31_000 });
    // The last one has an address: it is answered there.
    assert.deepEqual(
      client.sent.map((message) => message.broadcast),
      [broadcast, broadcast, false],
    );
    // Where it is shared, an answer to a probe would reach nobody.
    assert.equal(client.transcript.includes("1 who has 10.0.0.5?"), !sharesMac);
  }
});

test("the seconds since the client began; a REQUEST has those of the DISCOVER before it", () => {
  const silence = new Array(4).fill(SILENCE);
  const { sent } = run([...silence, { ...OFFER, after: 1500 }, ACK, SILENCE, ACK], 53_000);
  assert.deepEqual(
    sent.map(({ secs }) => secs),
    [0, 0, 0, 2, 6, 6, 0, 11],
  );
});

test("the message's size is that of the link, as far as the protocol allows", () => {
  const rows: [mtu: number, size: number][] = [
    [9000, 1500],
    [1450, 1450],
    [300, 576],
  ];
  for (const [mtu, size] of rows) {
    const client = new Scripted([]);
    client.mtu = mtu;
    play(client, { for: 10 });
    assert.deepEqual([...client.sent[0]!.options.get(Option.MaxMessageSize)!], [size >> 8, size & 0xff]);
  }
});

test("a lease is what the server said", () => {
  const options: Reply["options"] = [
    [Option.Router, [10, 0, 0, 1]],
    [Option.DomainNameServer, [10, 0, 0, 2]],
    [Option.RenewalTime, [0, 0, 0, 10]],
    [Option.RebindingTime, [0, 0, 0, 20]],
  ];
  const { leases, scheduler } = run([OFFER, { ...ACK, options }], 100, { priority: 7 });
  const [lease] = leases;
  assert.equal(Math.round(lease!.renewAt - scheduler.now()), 10_001 - 100);
  assert.deepEqual(
    lease!.settings.routes?.map(({ gw, priority }) => [String(gw), priority]),
    [["10.0.0.1", 7]],
  );
  assert.deepEqual(lease!.settings.dns?.nameservers, ["10.0.0.2"]);
  assert.deepEqual(lease!.settings.ips?.[0]?.gateway, parseIp("10.0.0.1"));
});

test("damaged answers, at whatever time, do no harm", () => {
  const change = fc.record({ at: fc.nat(330), byte: fc.nat(255) });
  const damaged = fc.record({ cut: fc.integer({ min: 230, max: 330 }), changes: fc.array(change) });
  fc.assert(
    fc.property(fc.array(damaged, { minLength: 1, maxLength: 8 }), (damages) => {
      const mangled = damages.map(({ cut, changes }, index): Reply => {
        const mangle = (bytes: Uint8Array) => {
          for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
          return bytes.subarray(0, cut);
        };
        return { ...[OFFER, ACK, NAK][index % 3]!, mangle };
      });
      const script = [[...mangled, OFFER], [...mangled, ACK], mangled, mangled, mangled, mangled];
      const client = run(script, 70_000);
      for (const { settings } of client.leases) {
        const { bytes } = settings.ips![0]!.address.ip;
        assert.ok(bytes[0] !== 0 && bytes[0] !== 127, String(bytes));
      }
      leavesNothing(client);
    }),
  );
});

/** A client that has followed a script for a time. */
function run(script: Scenario["script"], ms: number, wish: Partial<Wish> = {}): Scripted {
  const client = new Scripted(script, { wish });
  play(client, { for: ms });
  return client;
}

function play(client: Scripted, { for: end, at = [] }: Pick<Scenario, "for" | "at">): void {
  const begin = client.scheduler.now();
  for (const [ms, act] of at) client.scheduler.after(ms, () => act(client));
  client.call((source) => source.start());
  client.scheduler.advance(end);
  assert.equal(client.scheduler.now(), begin + end);
}

/** As a lease comes back from a file. */
function stored(lease: Lease): Lease {
  return { ...lease, memory: JSON.parse(JSON.stringify(lease.memory)) };
}

function leavesNothing(client: Scripted): void {
  client.call((source) => source.stop());
  // Answers of servers that are still on their way.
  client.scheduler.advance(20_000);
  assert.equal(client.opened, 0, "channels and watches that are open");
  assert.equal(client.scheduler.idle, true, "timers");
}
