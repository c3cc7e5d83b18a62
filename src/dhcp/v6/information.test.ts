import assert from "node:assert/strict";
import { test } from "node:test";
import { InterfaceGone } from "../container-interface.ts";
import { Dhcp6Information } from "./information.ts";
import { MessageType, Option, type Options } from "./message.ts";
import { ScriptedLink } from "./scripted.node.ts";

const { InformationRequest, Reply } = MessageType;
const DNS: Options[number] = [Option.DnsServers, new Uint8Array(16).fill(0x20)];
const REFRESH: Options[number] = [Option.InformationRefreshTime, Uint8Array.of(0, 0, 0x0e, 0x10)];

function started(): { link: ScriptedLink; client: Dhcp6Information } {
  const link = new ScriptedLink();
  const client = new Dhcp6Information(link.context, link.events, link);
  client.start();
  link.turn();
  return { link, client };
}

test("DNS settings are asked for, and asked for anew when the server wishes", () => {
  const { link } = started();
  assert.deepEqual(link.types, [InformationRequest]);
  const codes = link.last.options.map(([code]) => code);
  assert.deepEqual(codes, [Option.ClientId, Option.OptionRequest, Option.ElapsedTime]);
  link.answer(Reply, [DNS, REFRESH]);
  const [lease] = link.bound;
  assert.deepEqual(lease?.settings.dns, { nameservers: ["2020:2020:2020:2020:2020:2020:2020:2020"] });
  assert.deepEqual(lease?.settings.ips, undefined);
  assert.equal(lease?.renewAt, link.scheduler.now() + 3_600_000);
  assert.equal(lease?.expiresAt, Number.POSITIVE_INFINITY);
  assert.equal(link.sockets, 0);
  link.scheduler.advance(3_599_999);
  assert.equal(link.sent.length, 1);
  link.scheduler.advance(1001);
  assert.equal(link.sent.length, 2);
  // Without an answer, what was heard holds.
  link.scheduler.advance(1_000_000);
  assert.deepEqual([link.bound.length, link.lost.length], [1, 0]);
  link.answer(Reply, []);
  assert.deepEqual(link.bound[1]?.settings, { dns: undefined });
});

test("after a restart the time goes on", () => {
  const { link: first } = started();
  first.answer(Reply, [DNS, REFRESH]);
  const rows: [memory: object, asksAfter: number | undefined][] = [
    [first.bound[0]!.memory, 3_600_000],
    [{ refreshAt: Infinity }, undefined],
    [{}, 0],
  ];
  for (const [memory, asksAfter] of rows) {
    const link = new ScriptedLink();
    new Dhcp6Information(link.context, link.events, link).start({
      memory: JSON.parse(JSON.stringify(memory)),
    });
    link.scheduler.advance(100_000_000);
    const [asked] = link.sent;
    const after = asked && asked.at - (link.scheduler.now() - 100_000_000);
    if (asksAfter === undefined) assert.equal(after, undefined);
    else assert.ok(after! >= asksAfter && after! <= asksAfter + 1000, `${after}`);
  }
});

test("it ends without a word, and with its interface", () => {
  for (const end of ["stop", "release"] as const) {
    const { link, client } = started();
    client[end]();
    assert.deepEqual([link.sockets, link.scheduler.idle, link.sent.length], [0, true, 1]);
  }
  const { link } = started();
  link.answer(Reply, [DNS]);
  link.refusal = new InterfaceGone("there is no interface eth0");
  link.scheduler.advance(100_000_000);
  assert.deepEqual([link.gone, link.scheduler.idle], [["there is no interface eth0"], true]);
});
