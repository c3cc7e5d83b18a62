import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errno } from "../../host/errno.ts";
import { SysError } from "../../host/host.ts";
import { InterfaceGone } from "../container-interface.ts";
import type { Lease } from "../source.ts";
import { decodeAssociation } from "./association.ts";
import { Dhcp6Client } from "./client.ts";
import { MessageType, Option, type Options, optionOf } from "./message.ts";
import { address, OTHER_SERVER, ScriptedLink, SERVER, status } from "./scripted.node.ts";

const { Solicit, Advertise, Request, Renew, Rebind, Reply, Release, Decline } = MessageType;
const RAPID: Options[number] = [Option.RapidCommit, Uint8Array.of()];
const S = 1000;

function started(timing = {}): { link: ScriptedLink; client: Dhcp6Client } {
  const link = new ScriptedLink(timing);
  const client = new Dhcp6Client(link.context, link.events, link);
  client.start();
  link.turn();
  return { link, client };
}

/** A client that has fd00::1 for 400 s; T1 is 100 s, T2 200 s. */
function bound(timing = {}): { link: ScriptedLink; client: Dhcp6Client; lease: Lease } {
  const { link, client } = started(timing);
  link.answer(Reply, [RAPID, link.association({}, address("fd00::1"))]);
  link.scheduler.advance(50);
  const lease = link.bound[0];
  assert.ok(lease);
  // The neighbours are listened to for a while.
  link.scheduler.advance(0);
  return { link, client, lease };
}

const addressOf = (lease: Lease | undefined) => `${lease?.settings.ips?.[0]?.address}`;
const asked = (link: ScriptedLink) =>
  decodeAssociation(optionOf(link.last.options, Option.Association)!).addresses.map(({ ip }) => `${ip}`);
const times = (link: ScriptedLink) => link.sent.map(({ at }) => at - link.sent[0]!.at);

test("an address in two messages, from a server that commits rapidly", () => {
  const { link, lease } = bound();
  assert.deepEqual(link.types, [Solicit]);
  assert.equal(addressOf(lease), "fd00::1/128");
  const got = link.scheduler.now() - 50;
  assert.deepEqual([lease.renewAt - got, lease.expiresAt - got], [100 * S, 400 * S]);
  assert.equal(link.sockets, 0);
  assert.deepEqual([...link.lost, ...link.logged], []);
});

test("an address in four messages", () => {
  const { link } = started();
  link.answer(Advertise, [link.association({}, address("fd00::1"))]);
  link.scheduler.advance(100);
  assert.deepEqual(link.types, [Solicit, Request]);
  assert.deepEqual(asked(link), ["fd00::1"]);
  assert.deepEqual(optionOf(link.last.options, Option.ServerId), SERVER);
  link.answer(Reply, [link.association({}, address("fd00::1")), [23, new Uint8Array(16).fill(0x20)]]);
  assert.equal(link.bound.length, 0);
  link.scheduler.advance(50);
  assert.equal(addressOf(link.bound[0]), "fd00::1/128");
  assert.deepEqual(link.bound[0]?.settings.dns?.nameservers, ["2020:2020:2020:2020:2020:2020:2020:2020"]);
});

test("what each message holds", () => {
  const { ClientId, ServerId, Association, OptionRequest, ElapsedTime, RapidCommit } = Option;
  const { link } = bound();
  const codes = () => link.last.options.map(([code]) => code).sort((a, b) => a - b);
  assert.deepEqual(codes(), [ClientId, Association, OptionRequest, ElapsedTime, RapidCommit]);
  link.scheduler.advance(100 * S);
  assert.equal(link.last.type, Renew);
  assert.deepEqual(codes(), [ClientId, ServerId, Association, OptionRequest, ElapsedTime]);
  link.scheduler.advance(110 * S);
  assert.equal(link.last.type, Rebind);
  assert.deepEqual(codes(), [ClientId, Association, OptionRequest, ElapsedTime]);
  link.taken.add("fd00::2");
  link.answer(Reply, [link.association({}, address("fd00::2"))]);
  link.scheduler.advance(50);
  assert.equal(link.last.type, Decline);
  assert.deepEqual(codes(), [ClientId, ServerId, Association, ElapsedTime]);
});

test("Solicit is repeated later and later, with the same transaction ID and the time that has passed", () => {
  const { link } = started({ resendMax: 8 * S });
  link.scheduler.advance(40 * S);
  const all = times(link);
  const pauses = all.slice(1).map((at, index) => at - all[index]!);
  for (const [index, longest] of [1, 2, 4, 8, 8, 8].entries()) {
    const pause = pauses[index]! / S;
    assert.ok(pause >= longest * 0.8 && pause <= longest * 1.2, `${pauses}`);
  }
  assert.equal(new Set(link.sent.map(({ message }) => message.transactionId)).size, 1);
  for (const { at, message } of link.sent) {
    const [high = 0, low = 0] = optionOf(message.options, Option.ElapsedTime)!;
    assert.equal(high * 256 + low, Math.floor((at - link.sent[0]!.at) / 10));
  }
});

test("of several offers the one with the highest preference is taken, and 255 at once", () => {
  const offer = (link: ScriptedLink, text: string, preference: number, server = SERVER) =>
    link.answer(
      Advertise,
      [[Option.Preference, Uint8Array.of(preference)], link.association({}, address(text))],
      { server },
    );
  const { link } = started();
  offer(link, "fd00::1", 1);
  link.scheduler.advance(50);
  offer(link, "fd00::2", 7, OTHER_SERVER);
  offer(link, "fd00::3", 7);
  assert.deepEqual(link.types, [Solicit]);
  link.scheduler.advance(50);
  assert.deepEqual(asked(link), ["fd00::2"]);
  assert.deepEqual(optionOf(link.last.options, Option.ServerId), OTHER_SERVER);

  const { link: second } = started();
  offer(second, "fd00::1", 1);
  offer(second, "fd00::2", 255);
  assert.deepEqual(asked(second), ["fd00::2"]);
  second.scheduler.advance(200);
  assert.deepEqual(second.types, [Solicit, Request]);
});

test("what is no answer is ignored", () => {
  const { link } = started();
  const granted: Options = [RAPID, link.association({}, address("fd00::1"))];
  link.answer(Reply, granted, { transactionId: link.last.transactionId ^ 1 });
  link.answer(Solicit, granted);
  // Without a Rapid Commit option it is not to a Solicit.
  link.answer(Reply, granted.slice(1));
  link.deliver(Uint8Array.of());
  link.deliver(Uint8Array.of(Reply, 0, 0, 1, 0, 3, 0));
  link.scheduler.advance(200);
  assert.deepEqual([...link.bound, ...link.logged], []);
  link.answer(Reply, granted);
  link.scheduler.advance(50);
  assert.equal(link.bound.length, 1);
});

test("a server without addresses is told of once, and asked on", () => {
  const { link } = started();
  for (let i = 0; i < 4; i++) {
    link.answer(Advertise, [link.association({}, status(2))]);
    link.answer(Reply, [RAPID, link.association({}, status(2))]);
    link.scheduler.advance(10 * S);
  }
  assert.deepEqual(link.logged, ["no address: NoAddrsAvail"]);
  assert.ok(link.types.every((type) => type === Solicit) && link.types.length > 4);
  link.answer(Reply, [RAPID, link.association({}, address("fd00::1"))]);
  link.scheduler.advance(50);
  assert.equal(link.bound.length, 1);
});

test("answers to a Request", () => {
  const requested = () => {
    const { link } = started();
    link.answer(Advertise, [link.association({}, address("fd00::1"))]);
    link.scheduler.advance(100);
    return link;
  };
  const rows: [(link: ScriptedLink) => Options, then: number, said: RegExp][] = [
    [() => [status(1)], Request, /not given yet: UnspecFail/],
    [() => [status(5)], Request, /not given yet: UseMulticast/],
    [() => [], Request, /nothing of use/],
    [(link) => [link.association({}, status(2))], Solicit, /not given: NoAddrsAvail/],
    [() => [status(4)], Solicit, /not given: NotOnLink/],
    [(link) => [link.association({ t1: 9, t2: 8 }, address("fd00::1"))], Request, /nothing of use/],
  ];
  for (const [options, then, said] of rows) {
    const link = requested();
    link.answer(Reply, options(link));
    link.scheduler.advance(1500);
    assert.match(link.logged.join("; "), said);
    assert.equal(link.last.type, then);
    assert.deepEqual(link.bound, []);
  }
  const silent = requested();
  silent.scheduler.advance(10 * S);
  assert.match(silent.logged.join(), /does not answer any more/);
  assert.equal(silent.last.type, Solicit);
  assert.ok(silent.types.filter((type) => type === Request).length > 2);
});

test("who is refused again and again asks less and less", () => {
  const { link } = started();
  for (let i = 0; i < 2000 && link.sent.length < 14; i++) {
    const { type } = link.last;
    if (type === Solicit) link.answer(Advertise, [link.association({}, address("fd00::1"))]);
    else link.answer(Reply, [status(4)]);
    link.scheduler.advance(100);
  }
  const solicits = link.sent.filter(({ message }) => message.type === Solicit).map(({ at }) => at);
  const pauses = solicits.slice(1).map((at, index) => at - solicits[index]!);
  assert.ok(
    pauses[0]! <= 300 && pauses[1]! >= 1 * S && pauses[3]! >= 4 * S && pauses[5]! >= 16 * S,
    `${pauses}`,
  );
});

test("the lease is renewed at T1, and the new times hold", () => {
  const { link, lease } = bound();
  link.scheduler.advance(lease.renewAt - link.scheduler.now() - 1);
  assert.deepEqual(link.types, [Solicit]);
  link.scheduler.advance(1);
  assert.deepEqual(link.types, [Solicit, Renew]);
  assert.deepEqual(asked(link), ["fd00::1"]);
  assert.deepEqual(optionOf(link.last.options, Option.ServerId), SERVER);
  link.answer(Reply, [link.association({ t1: 50, t2: 60 }, address("fd00::1", 70, 80))]);
  // It is ours already: nobody is asked about it.
  assert.equal(link.bound.length, 2);
  assert.equal(link.bound[1]!.expiresAt, link.scheduler.now() + 80 * S);
  assert.equal(link.sockets, 0);
  link.scheduler.advance(50 * S);
  assert.deepEqual(link.types, [Solicit, Renew, Renew]);
});

test("without an answer: Renew from T1, Rebind from T2, then the address is lost and sought anew", () => {
  const { link, lease } = bound();
  const begin = lease.renewAt - 100 * S;
  link.scheduler.advance(500 * S);
  const sent = (type: number) =>
    link.sent.filter(({ message }) => message.type === type).map(({ at }) => (at - begin) / S);
  assert.equal(sent(Renew)[0], 100);
  assert.ok(sent(Renew).length >= 3 && sent(Renew).at(-1)! < 200);
  assert.equal(sent(Rebind)[0], 200);
  assert.ok(sent(Rebind).at(-1)! < 400);
  assert.equal(sent(Solicit)[1], 400);
  assert.deepEqual(link.lost, ["the lease of fd00::1 has ended"]);
  assert.equal(link.sockets, 1);
});

test("another server may extend at Rebind, and is the one from then on", () => {
  const { link } = bound();
  link.scheduler.advance(250 * S);
  assert.equal(link.last.type, Rebind);
  link.answer(Reply, [link.association({}, address("fd00::1"))], { server: OTHER_SERVER });
  assert.equal(link.bound.length, 2);
  link.scheduler.advance(100 * S);
  assert.deepEqual(optionOf(link.last.options, Option.ServerId), OTHER_SERVER);
});

test("a lease without end is never renewed", () => {
  const { link } = started();
  const forever = 0xffffffff;
  link.answer(Reply, [RAPID, link.association({ t1: 0, t2: 0 }, address("fd00::1", forever, forever))]);
  link.scheduler.advance(10 * 86_400 * S);
  const [lease] = link.bound;
  assert.deepEqual([lease?.renewAt, lease?.expiresAt], [Infinity, Infinity]);
  assert.deepEqual(link.types, [Solicit]);
  assert.ok(link.scheduler.idle);
});

test("answers to a renewal", () => {
  const none: Options = [];
  const rows: [(link: ScriptedLink) => Options, then: number, lost: RegExp | undefined][] = [
    [() => none, Renew, undefined],
    [() => [status(1)], Renew, undefined],
    [() => [status(5)], Renew, undefined],
    [(link) => [link.association({}, status(2))], Renew, undefined],
    [(link) => [link.association({}, status(3))], Request, undefined],
    [(link) => [link.association({}, status(4))], Solicit, /NotOnLink/],
    [(link) => [link.association({}, address("fd00::1", 0, 0))], Solicit, /takes fd00::1 back/],
  ];
  for (const [options, then, lost] of rows) {
    const { link } = bound();
    link.scheduler.advance(100 * S);
    link.answer(Reply, options(link));
    assert.equal(link.last.type, then);
    assert.equal(link.lost.length, lost ? 1 : 0);
    if (lost) assert.match(link.lost[0]!, lost);
    assert.equal(link.bound.length, 1);
  }
});

test("a server that has forgotten the lease is asked for it as at first", () => {
  const forgotten = () => {
    const { link } = bound();
    link.scheduler.advance(100 * S);
    link.answer(Reply, [link.association({}, status(3))], { server: OTHER_SERVER });
    assert.deepEqual(asked(link), ["fd00::1"]);
    assert.deepEqual(optionOf(link.last.options, Option.ServerId), OTHER_SERVER);
    return link;
  };
  const again = forgotten();
  again.answer(Reply, [again.association({}, address("fd00::1"))]);
  assert.deepEqual([again.bound.length, again.lost.length], [2, 0]);

  const refused = forgotten();
  refused.answer(Reply, [refused.association({}, status(2))]);
  assert.match(refused.lost[0]!, /NoAddrsAvail/);
  assert.equal(refused.last.type, Solicit);

  const silent = forgotten();
  silent.scheduler.advance(10 * S);
  assert.match(silent.lost[0]!, /does not answer/);
});

test("another address at renewal is probed, and replaces the one before", () => {
  const changed = (taken: boolean) => {
    const { link } = bound();
    if (taken) link.taken.add("fd00::2");
    link.scheduler.advance(100 * S);
    link.answer(Reply, [link.association({}, address("fd00::1", 0, 0), address("fd00::2"))]);
    assert.equal(link.bound.length, 1);
    link.scheduler.advance(50);
    return link;
  };
  const free = changed(false);
  assert.equal(addressOf(free.bound[1]), "fd00::2/128");
  assert.deepEqual(free.lost, []);
  free.scheduler.advance(100 * S);
  assert.deepEqual(asked(free), ["fd00::2"]);

  const taken = changed(true);
  assert.match(taken.lost[0]!, /fd00::2 is in use/);
  assert.equal(taken.last.type, Decline);
  assert.deepEqual(asked(taken), ["fd00::2"]);
});

test("an address that another host has is declined, and another one sought", () => {
  const { link } = started();
  link.taken.add("fd00::1");
  link.answer(Reply, [RAPID, link.association({}, address("fd00::1"))]);
  link.scheduler.advance(50);
  assert.deepEqual(link.types, [Solicit, Decline]);
  assert.deepEqual([...link.bound, ...link.lost], []);
  assert.match(link.logged.join(), /fd00::1 is in use by another host/);
  link.answer(Reply, [status(0)]);
  assert.deepEqual(link.types, [Solicit, Decline, Solicit]);
  link.answer(Reply, [RAPID, link.association({}, address("fd00::2"))]);
  link.scheduler.advance(50);
  assert.equal(addressOf(link.bound[0]), "fd00::2/128");
});

test("Decline is sent four times to a server that does not answer", () => {
  const { link } = started();
  link.taken.add("fd00::1");
  link.answer(Reply, [RAPID, link.association({}, address("fd00::1"))]);
  link.scheduler.advance(30 * S);
  assert.deepEqual(link.types.slice(0, 6), [Solicit, Decline, Decline, Decline, Decline, Solicit]);
});

test("a neighbour that answers late takes the address away again", () => {
  const { link } = started();
  link.late.add("fd00::1");
  link.answer(Reply, [RAPID, link.association({}, address("fd00::1"))]);
  link.scheduler.advance(50);
  assert.equal(link.bound.length, 1);
  link.scheduler.advance(500);
  assert.match(link.lost.join(), /fd00::1 is in use/);
  assert.equal(link.last.type, Decline);
});

/** A client that goes on with the lease of another one, of which it has the memory as JSON. */
function resumed(times: object): ScriptedLink {
  const { memory } = bound().lease;
  const link = new ScriptedLink();
  const client = new Dhcp6Client(link.context, link.events, link);
  client.start({ memory: JSON.parse(JSON.stringify({ ...memory, ...times })) });
  // Nothing is told within the call.
  assert.deepEqual([...link.bound, ...link.lost, ...link.sent], []);
  link.turn();
  return link;
}

test("after a restart", () => {
  const now = new ScriptedLink().scheduler.now();
  const rows: [times: object, then: number, lost: number][] = [
    [{ renewAt: now - 1 }, Renew, 0],
    [{ renewAt: now - 2, rebindAt: now - 1 }, Rebind, 0],
    [{ renewAt: now - 3, rebindAt: now - 2, expiresAt: now - 1 }, Solicit, 1],
    [{ address: "10.1.2.3" }, Solicit, 0],
    [{ server: undefined }, Solicit, 0],
  ];
  for (const [times, then, lost] of rows) {
    const link = resumed(times);
    assert.deepEqual([link.types, link.lost.length], [[then], lost], JSON.stringify(times));
  }
  const inTime = resumed({});
  assert.deepEqual([inTime.sockets, inTime.types], [0, []]);
  inTime.scheduler.advance(100 * S);
  assert.deepEqual(inTime.types, [Renew]);
  const forever = resumed({ renewAt: Infinity, rebindAt: Infinity, expiresAt: Infinity });
  forever.scheduler.advance(1000 * S);
  assert.deepEqual([...forever.types, ...forever.lost, ...forever.bound], []);
});

test("the server is told once that the lease is not used any more", () => {
  const { link, client } = bound();
  client.release();
  assert.equal(link.last.type, Release);
  assert.deepEqual(asked(link), ["fd00::1"]);
  assert.deepEqual(optionOf(link.last.options, Option.ServerId), SERVER);
  assert.deepEqual([link.sockets, link.scheduler.idle], [0, true]);
  client.release();
  assert.deepEqual(link.types, [Solicit, Release]);

  const { link: seeking, client: without } = started();
  without.release();
  assert.deepEqual([seeking.types, seeking.scheduler.idle], [[Solicit], true]);

  const { link: probing, client: early } = started();
  probing.answer(Reply, [RAPID, probing.association({}, address("fd00::1"))]);
  early.release();
  assert.deepEqual([probing.types, probing.scheduler.idle], [[Solicit, Release], true]);
});

test("a release that cannot be sent is told, unless the interface has gone", () => {
  const rows: [Error, RegExp][] = [
    [
      new SysError("bind", errno.EADDRINUSE, "fe80::1 port 546"),
      /cannot release fd00::1: bind fe80::1 port 546: EADDRINUSE/,
    ],
    [new InterfaceGone("there is no interface eth0"), /^$/],
  ];
  for (const [refusal, said] of rows) {
    const { link, client } = bound();
    link.refusal = refusal;
    client.release();
    link.turn();
    assert.match(link.logged.join(), said);
  }
});

test("an interface that cannot send is waited for in short steps, then in longer ones", () => {
  const link = new ScriptedLink();
  link.canOpen = false;
  let opened = 0;
  const { open } = link;
  link.open = (received) => {
    opened++;
    return open.call(link, received);
  };
  new Dhcp6Client(link.context, link.events, link).start();
  link.scheduler.advance(100);
  assert.ok(opened >= 8, `${opened}`);
  link.scheduler.advance(100 * S);
  assert.ok(opened < 150, `${opened}`);
  link.canOpen = true;
  link.canSend = false;
  link.scheduler.advance(2 * S);
  assert.deepEqual([link.sockets, link.types.length], [0, 0]);
  link.canSend = true;
  link.scheduler.advance(5 * S);
  assert.equal(link.types[0], Solicit);
  assert.equal(link.logged[0], "cannot ask DHCPv6 servers: the link has no carrier, or no address");
});

test("silence is told once", () => {
  const { link } = started();
  link.scheduler.advance(2 * S);
  assert.deepEqual(link.logged, []);
  link.scheduler.advance(100 * S);
  assert.deepEqual(link.logged, ["no DHCPv6 server answers"]);
});

test("trouble with sockets is told once", () => {
  const link = new ScriptedLink();
  link.refusal = new SysError("bind", errno.EADDRINUSE, "fe80::1 port 546");
  new Dhcp6Client(link.context, link.events, link).start();
  link.scheduler.advance(10 * S);
  assert.deepEqual(link.logged, ["cannot ask DHCPv6 servers: bind fe80::1 port 546: EADDRINUSE"]);
  link.refusal = undefined;
  link.scheduler.advance(1 * S);
  assert.deepEqual(link.types, [Solicit]);
});

test("an interface that has gone ends the client", () => {
  const { link } = bound();
  link.refusal = new InterfaceGone("there is no interface eth0");
  link.scheduler.advance(1000 * S);
  assert.deepEqual(link.gone, ["there is no interface eth0"]);
  assert.deepEqual([link.lost, link.scheduler.idle], [[], true]);
});

test("the server's wish for patience is heeded", () => {
  const { link } = started();
  link.answer(Advertise, [[Option.SolicitMaxRt, Uint8Array.of(0, 0, 0x0e, 0x10)]]);
  link.scheduler.advance(20_000 * S);
  const all = times(link);
  const pause = all.at(-1)! - all.at(-2)!;
  assert.ok(pause >= 3240 * S && pause <= 3960 * S, `${all}`);
});

test("whatever servers say, the client stays sane, and stops without a trace", () => {
  const step = fc.oneof(
    fc.record({ wait: fc.constantFrom(0, 60, 1500, 101_000, 450_000) }),
    fc.record({
      type: fc.constantFrom(Advertise, Reply),
      status: fc.constantFrom(0, 1, 2, 3, 4, 5, 9),
      address: fc.constantFrom("fd00::1", "fd00::2", "fd00::3", "ff02::1"),
      valid: fc.constantFrom(0, 1, 400),
      rapid: fc.boolean(),
    }),
    fc.record({ down: fc.boolean() }),
  );
  const run = (steps: readonly object[], stopped: "stop" | "release") => {
    const { link, client } = started();
    link.taken.add("fd00::2");
    link.late.add("fd00::3");
    for (const one of steps as Step[]) {
      if (one.wait !== undefined) link.scheduler.advance(one.wait);
      else if (one.down !== undefined) link.canSend = !one.down;
      else {
        const given = address(one.address!, Math.floor(one.valid! / 2), one.valid!);
        const options = [link.association({ t1: 0, t2: 0 }, given), status(one.status!)];
        if (link.sent.length > 0) link.answer(one.type!, one.rapid ? [RAPID, ...options] : options);
      }
      assert.ok(link.sockets <= 1);
      assert.ok(!link.scheduler.idle, "it waits for nothing");
    }
    for (const lease of link.bound) assert.match(addressOf(lease), /^fd00::[13]\/128$/);
    // Only what was there is lost.
    assert.ok(link.lost.length <= link.bound.length);
    client[stopped]();
    assert.deepEqual([link.sockets, link.scheduler.idle], [0, true]);
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), fc.constantFrom("stop", "release"), run));
});

interface Step {
  readonly wait?: number;
  readonly down?: boolean;
  readonly type?: number;
  readonly status?: number;
  readonly address?: string;
  readonly valid?: number;
  readonly rapid?: boolean;
}
