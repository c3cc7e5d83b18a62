import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import { assertSaneName, damaged } from "../malformed.node.ts";
import { type Answer, readAnswer } from "./answer.ts";
import * as captures from "./captures.node.ts";
import { decodeMessage, encodeOptions, type Message, MessageType, Option, type Options } from "./message.ts";

const { CLIENT } = captures;
const SERVER = Uint8Array.of(0, 3, 0, 1, 9);
const ip = (text: string) => parseIp(text)!;

/** With what went into the log. */
function read(message: Message, own?: string): { answer: Answer | undefined; log: string[] } {
  const log: string[] = [];
  const answer = readAnswer(message, CLIENT, {
    own: own === undefined ? undefined : ip(own),
    ifName: "eth0",
    log: (text) => log.push(text),
  });
  return { answer, log };
}

function reply(...options: Options): Message {
  const identities: Options = [
    [Option.ClientId, CLIENT.duid],
    [Option.ServerId, SERVER],
  ];
  return { type: MessageType.Reply, transactionId: 1, options: [...identities, ...options] };
}

const numbers = (...values: number[]) => {
  const writer = new Writer();
  for (const value of values) writer.be32(value);
  return writer.finish();
};

const address = (text: string, preferred: number, valid: number, ...options: Options): Options[number] => [
  Option.Address,
  new Writer().raw(ip(text).bytes).raw(numbers(preferred, valid)).raw(encodeOptions(options)).finish(),
];

const association = (t1: number, t2: number, ...options: Options): Options[number] => [
  Option.Association,
  new Writer()
    .raw(numbers(CLIENT.iaid, t1, t2))
    .raw(encodeOptions(options))
    .finish(),
];

const status = (code: number): Options[number] => [Option.StatusCode, Uint8Array.of(0, code)];
const granted = ({ answer }: ReturnType<typeof read>) => answer?.grant && `${answer.grant.address}`;

test("answers of real servers", () => {
  const of = (captured: Uint8Array, own?: string) => read(decodeMessage(captured), own).answer!;

  const { grant, rapid, dns, ...rest } = of(captures.DNSMASQ_REPLY);
  assert.deepEqual(grant, { address: ip("fd00:1::17d"), renew: 300_000, rebind: 525_000, valid: 600_000 });
  assert.equal(rapid, true);
  assert.deepEqual(dns, {
    nameservers: ["fd00:1::53", "fe80::53%eth0"],
    search: ["office.example", "lab.example"],
  });
  assert.equal(rest.preference, 0);
  assert.equal(rest.status.code, 0);
  assert.equal(rest.takenBack, false);

  assert.equal(of(captures.DNSMASQ_INFORMATION).refresh, 600_000);
  assert.equal(of(captures.DNSMASQ_REPLY).refresh, 86_400_000);
  assert.equal(of(captures.DNSMASQ_NOT_ON_LINK).status.code, 4);

  const taken = of(captures.DNSMASQ_TAKES_BACK, "fd00:1::17d");
  assert.deepEqual([taken.grant, taken.takenBack], [undefined, true]);

  const changed = of(captures.KEA_CHANGES, "fd00:1::100");
  assert.deepEqual([`${changed.grant?.address}`, changed.takenBack], ["fd00:1::500", true]);

  assert.equal(of(captures.KEA_ADVERTISE).rapid, false);
});

test("what is not for us is no answer", () => {
  const options = reply(association(0, 0, address("fd00::1", 10, 20))).options;
  const without = (code: number) => options.filter(([other]) => other !== code);
  const rows: Options[] = [
    [],
    without(Option.ClientId),
    without(Option.ServerId),
    [[Option.ClientId, Uint8Array.of(0, 4, 1)], ...without(Option.ClientId)],
    [[Option.ClientId, CLIENT.duid.subarray(0, 17)], ...without(Option.ClientId)],
  ];
  for (const row of rows) assert.equal(read({ ...reply(), options: row }).answer, undefined);
});

test("times that are left to us, and those that make no sense", () => {
  const forever = 0xffffffff;
  const rows: [t1: number, t2: number, preferred: number, valid: number, expected: number[] | undefined][] = [
    [100, 200, 300, 400, [100, 200, 400]],
    [0, 0, 300, 400, [150, 240, 400]],
    [0, 200, 300, 400, [150, 200, 400]],
    [0, 100, 300, 400, [100, 100, 400]],
    [100, 0, 300, 400, [100, 240, 400]],
    // The address is deprecated already.
    [0, 0, 0, 400, [200, 320, 400]],
    // They would come when the address has ended.
    [500, 600, 300, 400, [150, 240, 400]],
    [forever, forever, 300, 400, [150, 240, 400]],
    [0, 0, forever, forever, [Infinity, Infinity, Infinity]],
    [100, forever, forever, forever, [100, Infinity, Infinity]],
    [forever, forever, forever, forever, [Infinity, Infinity, Infinity]],
    // RFC 8415, section 21.4: T1 behind T2; section 21.6: preferred for longer than valid.
    [200, 100, 300, 400, undefined],
    [0, 0, 400, 300, undefined],
    [0, 0, 0, 0, undefined],
  ];
  for (const [t1, t2, preferred, valid, expected] of rows) {
    const { answer } = read(reply(association(t1, t2, address("fd00::1", preferred, valid))));
    const grant = answer!.grant;
    const times = grant && [grant.renew, grant.rebind, grant.valid].map((ms) => ms / 1000);
    assert.deepEqual(times, expected, `${[t1, t2, preferred, valid]}`);
  }
});

test("addresses that no host may have are not taken", () => {
  for (const text of ["::", "::1", "ff02::1", "fe80::1"])
    assert.equal(granted(read(reply(association(0, 0, address(text, 10, 20))))), undefined, text);
  const mapped = new Writer().zeros(10).be16(0xffff).be32(0x0a000001).raw(numbers(10, 20)).finish();
  assert.equal(granted(read(reply(association(0, 0, [Option.Address, mapped])))), undefined);
});

test("of several addresses, ours; else the one that is preferred longest", () => {
  const several = reply(
    association(0, 0, address("fd00::1", 10, 20), address("fd00::2", 15, 20), address("fd00::3", 15, 20)),
  );
  assert.equal(granted(read(several)), "fd00::2");
  assert.equal(granted(read(several, "fd00::1")), "fd00::1");
  assert.equal(granted(read(several, "fd00::9")), "fd00::2");
});

test("an association of somebody else, or a damaged one, is left out", () => {
  const [code, value] = association(0, 0, address("fd00::1", 10, 20));
  const others = value.slice();
  others[0]! ^= 1;
  assert.equal(granted(read(reply([code, others]))), undefined);
  const cut = read(reply([code, value.subarray(0, 20)], association(0, 0, address("fd00::2", 10, 20))));
  assert.equal(granted(cut), "fd00::2");
  assert.match(cut.log.join(), /left out/);
});

test("a refusal is told, and refuses", () => {
  const one = address("fd00::1", 10, 20);
  const rows: [Message, code: number, granted: string | undefined][] = [
    [reply(association(0, 0, one)), 0, "fd00::1"],
    [reply(status(0), association(0, 0, status(0), one)), 0, "fd00::1"],
    [reply(status(1), association(0, 0, one)), 1, undefined],
    [reply(association(0, 0, status(2))), 2, undefined],
    [reply(association(0, 0, status(3), one)), 3, undefined],
    [reply(association(0, 0, address("fd00::1", 10, 20, status(4)))), 4, undefined],
    [
      reply(association(0, 0, address("fd00::1", 10, 20, status(4)), address("fd00::2", 10, 20))),
      4,
      "fd00::2",
    ],
    [reply(status(5)), 5, undefined],
  ];
  for (const [message, code, expected] of rows) {
    const found = read(message);
    assert.equal(found.answer!.status.code, code);
    assert.equal(granted(found), expected);
  }
});

test("DNS settings are checked", () => {
  const label = (text: string) => Uint8Array.of(text.length, ...new TextEncoder().encode(text), 0);
  const servers = (...texts: string[]) => {
    const writer = new Writer();
    for (const text of texts) writer.raw(ip(text).bytes);
    return writer.finish();
  };
  const rows: [Options, nameservers: string[] | undefined, search: string[] | undefined, log: RegExp][] = [
    [
      [[23, servers("2001:db8::53", "::", "ff02::fb", "fe80::1")]],
      ["2001:db8::53", "fe80::1%eth0"],
      undefined,
      /^$/,
    ],
    [[[23, servers("2001:db8::53").subarray(1)]], undefined, undefined, /option 23/],
    [[[23, servers("::")]], undefined, undefined, /^$/],
    [[[24, label("lab")]], undefined, ["lab"], /^$/],
    [[[24, label("a\nnameserver")]], undefined, undefined, /option 24/],
    // A pointer, which is not allowed here (RFC 8415, section 10).
    [[[24, Uint8Array.of(1, 97, 0xc0, 0)]], undefined, undefined, /option 24/],
    [
      [
        [23, Uint8Array.of()],
        [24, Uint8Array.of()],
      ],
      undefined,
      undefined,
      /^$/,
    ],
  ];
  for (const [options, nameservers, search, expected] of rows) {
    const { answer, log } = read(reply(...options));
    assert.deepEqual([answer!.dns?.nameservers, answer!.dns?.search], [nameservers, search]);
    assert.match(log.join("; "), expected);
  }
});

test("servers may ask for patience within limits, and for a refresh not too often", () => {
  const rows: [Options[number], key: keyof Answer, value: number | undefined][] = [
    [[82, numbers(120)], "solicitMaxRt", 120_000],
    [[82, numbers(59)], "solicitMaxRt", undefined],
    [[82, numbers(86_401)], "solicitMaxRt", undefined],
    [[83, numbers(60)], "informationMaxRt", 60_000],
    [[32, numbers(1)], "refresh", 600_000],
    [[32, numbers(7200)], "refresh", 7_200_000],
    [[32, numbers(0xffffffff)], "refresh", Number.POSITIVE_INFINITY],
    [[32, Uint8Array.of(1)], "refresh", 86_400_000],
    [[7, Uint8Array.of(255)], "preference", 255],
    [[7, Uint8Array.of()], "preference", 0],
  ];
  for (const [option, key, value] of rows) assert.equal(read(reply(option)).answer![key], value, `${option}`);
});

test("whatever comes, what is said of it is sane", () => {
  const { CLIENT: _, ...messages } = captures;
  fc.assert(
    fc.property(damaged(Object.values(messages)), (bytes) => {
      let message: Message;
      try {
        message = decodeMessage(bytes);
      } catch {
        return;
      }
      const { answer, log } = read(message, "fd00:1::100");
      for (const line of log) assert.match(line, /^[ -~]+$/);
      if (answer === undefined) return;
      assert.match(answer.status.text, /^[ -~]*$/);
      for (const name of answer.dns?.search ?? []) assertSaneName(name);
      for (const server of answer.dns?.nameservers ?? [])
        assert.ok(parseIp(server.replace(/%eth0$/, "")), server);
      if (answer.grant === undefined) return;
      const { address: given, renew, rebind, valid } = answer.grant;
      assert.ok(given.bytes.length === 16 && given.bytes[0] !== 0xff);
      assert.ok(renew > 0 && renew <= rebind && rebind <= valid, `${[renew, rebind, valid]}`);
    }),
    { numRuns: 3000 },
  );
});
