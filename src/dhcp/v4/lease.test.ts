import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { parseMac } from "../../address/mac.ts";
import { FakeSystem } from "../../host/fake.ts";
import { Host } from "../../host/host.ts";
import { leaseOf } from "./lease.ts";
import type { Message } from "./message.ts";

const ANY = parseIp("0.0.0.0")!;
const SERVER = { ip: parseIp("10.0.0.1")!, mac: parseMac("02:00:00:00:00:01")! };
const WISH = { ipv4: "dhcp", ipv6: "none", request: [], provide: [], broadcast: false, mtu: true } as const;

function seconds(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function ackWith(lease: number, renew: number, rebind: number): Message {
  return {
    ...{ op: 2, xid: 1, secs: 0, broadcast: false, ciaddr: ANY, siaddr: ANY, giaddr: ANY },
    yiaddr: parseIp("10.0.0.5")!,
    chaddr: new Uint8Array(6),
    options: new Map([
      [51, seconds(lease)],
      [58, seconds(renew)],
      [59, seconds(rebind)],
    ]),
  };
}

test("whatever times a server tells, a lease is renewed before it is rebound, and rebound before it ends", () => {
  const time = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 0xffffffff }), fc.constant(0xffffffff));
  const close = fc
    .integer({ min: 3, max: 100_000 })
    .map((lease): [number, number, number] => [lease, lease - 2, lease - 1]);
  fc.assert(
    fc.property(fc.oneof(fc.tuple(time, time, time), close), fc.nat(0xff), (times, chance) => {
      const random = (into: Uint8Array) => into.fill(chance).length;
      const host = new Host({ ...new FakeSystem().sys, random });
      const { lease, rebindAt } = leaseOf(ackWith(...times), SERVER, 1000, { host, wish: WISH }, () => {});
      assert.ok(lease.renewAt > 1000 && lease.renewAt <= rebindAt, `${lease.renewAt} ${rebindAt}`);
      assert.ok(rebindAt < lease.expiresAt || lease.expiresAt === Number.POSITIVE_INFINITY);
    }),
  );
});
