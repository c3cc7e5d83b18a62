import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { assertSaneName, damaged, decodedOrRefused } from "../malformed.node.ts";
import type { Settings } from "../source.ts";
import { isBroadcast, isHost } from "./address.ts";
import * as captures from "./captures.node.ts";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";
import { leaseTimes, messageText, messageType, Option, serverId, settingsOf } from "./options.ts";
import { decodeUdp, encodeUdp } from "./packet.ts";

const ANSWERS = Object.values(captures).map((packet) => decodeUdp(packet)!.payload);
const [ACK] = ANSWERS.map(decodeMessage);

/** Everything that is read of an answer. `size`: of the bytes that it was decoded from. */
function readAll(message: Message, size: number): void {
  let total = 0;
  for (const value of message.options.values()) total += value.length;
  assert.ok(total <= size && message.options.size <= 253);
  assert.ok(![0, 52, 255].some((code) => message.options.has(code)));

  const type = messageType(message);
  assert.ok(type === undefined || (Number.isInteger(type) && type <= 255));
  const server = serverId(message);
  assert.ok(server === undefined || isHost(server));
  assert.match(messageText(message), /^[ -~]*$/);

  const { lease, renew, rebind } = leaseTimes(message);
  assert.ok(renew > 0 && (renew === Infinity ? lease === Infinity : renew < rebind && rebind < lease));

  const log: string[] = [];
  const wish = { mtu: true, priority: 7 };
  const settings = decodedOrRefused(() => settingsOf(message, wish, (text) => log.push(text)));
  if (settings) assertSane(settings, size);
  assert.ok(log.length <= 9);
  for (const line of log) assert.match(line, /^[ -~]{1,400}$/);
}

function assertSane({ ips, routes, dns, mtu }: Settings, size: number): void {
  const [{ address, gateway }] = ips as [NonNullable<typeof ips>[number]];
  assert.ok(isHost(address.ip) && !isBroadcast(address.ip, address));
  assert.ok(address.prefixLength >= 1 && address.prefixLength <= 32);
  assert.ok(gateway === undefined || isHost(gateway));
  assert.equal(new Set(routes!.map(({ dst }) => `${dst}`)).size, routes!.length);
  // Two of each five bytes: the route, and its gateway's.
  assert.ok(routes!.length <= (size * 2) / 5);
  for (const { dst, gw, scope, priority } of routes!) {
    assert.ok(dst.equals(dst.network));
    assert.ok(gw ? isHost(gw) && !gw.equals(address.ip) : scope === 253);
    assert.equal(priority, 7);
  }
  for (const text of dns?.nameservers ?? []) assert.ok(isHost(parseIp(text)!), text);
  for (const name of [dns?.domain ?? "a", ...(dns?.search ?? [])]) assertSaneName(name);
  assert.ok((dns?.search ?? []).length <= 64);
  assert.ok(mtu === undefined || (mtu >= 576 && mtu <= 0xffff));
}

function readOrRefused(bytes: Uint8Array): void {
  const message = decodedOrRefused(() => decodeMessage(bytes));
  if (message) readAll(message, bytes.length);
}

test("any bytes are read or refused", () => {
  // With what every message has in common, or nearly all would be refused at once.
  const headed = fc
    .tuple(fc.uint8Array({ minLength: 232, maxLength: 232 }), fc.uint8Array({ maxLength: 400 }))
    .map(([fields, options]) => Uint8Array.from([2, 1, 6, 0, ...fields, 0x63, 0x82, 0x53, 0x63, ...options]));
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), headed), readOrRefused), {
    numRuns: 1000,
  });
});

test("answers of real servers, cut, changed and repeated in parts, are read or refused", () => {
  fc.assert(fc.property(damaged(ANSWERS), readOrRefused), { numRuns: 2000 });
});

const READ = [1, 3, 6, 15, 26, 33, 51, 53, 54, 56, 58, 59, 119, 121] as const;

test("every value of every option that is read, in one part or several, is taken or left out", () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 24 }),
    fc.array(fc.constantFrom(0, 1, 4, 32, 33, 63, 0xc0, 127, 192, 224, 255), { maxLength: 24 }),
  );
  const options = fc.array(fc.tuple(fc.constantFrom(...READ), value), { maxLength: 20 });
  const ip = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.constant(Uint8Array.of(10, 1, 2, 3)));
  fc.assert(
    fc.property(options, options, ip, (inOptions, inFile, yiaddr) => {
      const field = (list: typeof inOptions) =>
        list.flatMap(([code, bytes]) => [code, bytes.length, ...bytes]);
      const bytes = new Uint8Array([...ACK_HEADER, 52, 1, 1, ...field(inOptions), 255]);
      bytes.set(yiaddr, 16);
      bytes.set(field(inFile).slice(0, 128), 108);
      readOrRefused(bytes);
    }),
    { numRuns: 1000 },
  );
});

const ACK_HEADER = encodeMessage({ ...ACK!, options: new Map() }).subarray(0, 240);

test("64 KB of one option, in as many parts as there can be, come to an end", () => {
  const parts = [
    // Nothing, a zero, an address, a static route, a default route, a route on the link.
    [],
    [0],
    [192, 0, 2, 1],
    [10, 0, 0, 0, 192, 0, 2, 1],
    [0, 192, 0, 2, 1],
    [8, 10, 0, 0, 0, 0],
    // A pointer to the option's beginning, alone and behind a name.
    [0xc0, 0],
    [1, 97, 0, 0xc0, 0],
  ];
  for (const code of READ)
    for (const part of parts) {
      const one = [code, part.length, ...part];
      const options = Array.from({ length: Math.floor(65000 / one.length) }, () => one).flat();
      readOrRefused(Uint8Array.from([...ACK_HEADER, ...options, 255]));
    }
});

test("many different routes are as many settings, and no more", () => {
  const routes = Array.from({ length: 8000 }, (_, index) => [
    24,
    10,
    index >> 8,
    index & 0xff,
    172,
    16,
    index >> 8,
    index & 0xff,
  ]);
  const message = {
    ...ACK!,
    options: new Map([[Option.ClasslessRoutes as number, Uint8Array.from(routes.flat())]]),
  };
  readAll(message, 64000);
});

test("packets with anything in them are read or not taken", () => {
  const packets = Object.values(captures);
  const sound = encodeUdp({ ...decodeUdp(packets[0]!)!, payload: ANSWERS[0]! });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged([...packets, sound])), (packet) => {
      const payload = decodeUdp(packet)?.payload;
      if (!payload) return;
      assert.ok(payload.length + 28 <= packet.length);
      readOrRefused(payload);
    }),
    { numRuns: 1000 },
  );
});
