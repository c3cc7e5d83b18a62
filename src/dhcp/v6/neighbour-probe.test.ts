import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { FakeSystem } from "../../host/fake.ts";
import type { ContainerInterface } from "../container-interface.ts";
import { VirtualScheduler } from "../virtual.node.ts";
import { encodeSolicitation, isAdvertisementOf, probeDuplicate, solicitedNode } from "./neighbour-probe.ts";

const ip = (text: string) => parseIp(text)!;
const MAC = Uint8Array.of(2, 0, 0x5e, 0, 0x53, 1);

test("a solicitation in bytes", () => {
  const target = ip("fd00::1");
  const bare = [135, 0, 0, 0, 0, 0, 0, 0, ...target.bytes];
  assert.deepEqual([...encodeSolicitation(target, MAC)], [...bare, 1, 1, ...MAC]);
});

test("the group of whoever has an address (RFC 4291, section 2.7.1)", () => {
  const rows: [address: string, group: string][] = [
    ["4037::1:800:200e:8c6c", "ff02::1:ff0e:8c6c"],
    ["fd00::1", "ff02::1:ff00:1"],
    ["fd00::ff:ffff", "ff02::1:ffff:ffff"],
  ];
  for (const [address, group] of rows) assert.equal(`${solicitedNode(ip(address))}`, group);
});

test("what says that an address is taken", () => {
  const address = ip("fd00::1");
  const advertisement = (type: number, code: number, flags: number, target = "fd00::1") =>
    Uint8Array.of(type, code, 0, 0, flags, 0, 0, 0, ...ip(target).bytes, 2, 1, ...MAC);
  const rows: [message: Uint8Array, taken: boolean][] = [
    [advertisement(136, 0, 0x60), true],
    [advertisement(136, 0, 0xe0), true],
    [advertisement(136, 0, 0x40).subarray(0, 24), true],
    // Not asked for: our own, as a bridge may send it back.
    [advertisement(136, 0, 0x20), false],
    [advertisement(136, 0, 0x60, "fd00::2"), false],
    [advertisement(136, 1, 0x60), false],
    [advertisement(135, 0, 0x60), false],
    [advertisement(136, 0, 0x60).subarray(0, 23), false],
    [new Uint8Array(), false],
  ];
  for (const [message, taken] of rows) assert.equal(isAdvertisementOf(address, message), taken, `${message}`);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => !isAdvertisementOf(address, bytes)));
});

test("who cannot ask tries again until the window is over", () => {
  const scheduler = new VirtualScheduler();
  let tries = 0;
  const use = () => {
    tries++;
    throw new Error("socket: EMFILE");
  };
  const target = { use } as unknown as ContainerInterface;
  const told: boolean[] = [];
  probeDuplicate({ host: new FakeSystem().host, scheduler, target }, ip("fd00::1"), 50, (is) =>
    told.push(is),
  );
  scheduler.advance(49);
  assert.deepEqual([tries, told.length], [5, 0]);
  scheduler.advance(1);
  assert.deepEqual(told, [false]);
  assert.ok(scheduler.idle);
});
