import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reader } from "./codec.ts";
import { addRedirection, decodeRedirection } from "./filter.ts";
import { addQdisc, decodeQdisc, ingress, type Qdisc, removeQdisc } from "./qdisc.ts";
import { readTbf, TBF, tbf } from "./tbf.ts";

const veth0 = { index: 7, name: "veth0" };
const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const decoded = (body: Uint8Array): Qdisc => decodeQdisc(body, RTM_NEWQDISC)!;

test("a qdisc's place, handle and kind come back as they went", () => {
  for (const qdisc of [ingress, TBF]) {
    const { parent, handle, kind } = qdisc;
    for (const request of [addQdisc(veth0, qdisc), removeQdisc(veth0, qdisc)]) {
      const { options: _, ...read } = decoded(request.body);
      assert.deepEqual(read, { link: 7, parent, handle, kind });
    }
  }
});

test("a TBF comes back as it went", () => {
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const rate = fc.oneof(u32, fc.integer({ min: 2 ** 32, max: 2 ** 52 }));
  fc.assert(
    fc.property(rate, u32, u32, (rate, limit, buffer) => {
      const wish = { rate, limit, buffer };
      assert.deepEqual(readTbf(decoded(addQdisc(veth0, tbf(wish)).body)), wish);
    }),
  );
});

test("TBF: the bytes of `tc qdisc add dev veth0 root handle 1: tbf …`, with the flags of nests", () => {
  const head = "00000000070000000000" + "0100ffffffff000000000800010074626600";
  const parms = (rate: string) => `280001800000000000000000${rate}${"00".repeat(12)}d2040000e110000000000000`;
  const bytes = (wish: Parameters<typeof tbf>[0]) => hex(addQdisc(veth0, tbf(wish)).body);
  const wish = { rate: 1000, limit: 1234, buffer: 4321 };
  assert.equal(bytes(wish), `${head}2c000280${parms("e8030000")}`);
  const large = { ...wish, rate: 5e9, burst: 70_000 };
  assert.equal(bytes(large), `${head}40000280${parms("ffffffff")}0c00040000f2052a010000000800060070110100`);
});

test("what is no TBF is read as none", () => {
  assert.equal(readTbf(decoded(addQdisc(veth0, ingress).body)), undefined);
  assert.equal(decodeQdisc(new Uint8Array(20), RTM_NEWTFILTER), undefined);
});

test("a redirection comes back as it went, and its message names all packets", () => {
  const { body } = addRedirection(veth0, { index: 9, name: "bwp0" });
  assert.deepEqual(decodeRedirection(body, RTM_NEWTFILTER), { to: 9 });
  // tcm_info: priority 1, ETH_P_ALL in network byte order.
  assert.equal(new Reader(body).u32(16), 0x00010300);
  const [, options] = new Reader(body).attributeList(20)[1]!;
  const selector = options.attributes().get(5)!;
  // One key, and no bit of it is looked at.
  assert.equal(hex(selector.bytes), `010001${"00".repeat(29)}`);
});

test("a filter that does something else is no redirection", () => {
  assert.equal(decodeRedirection(addQdisc(veth0, ingress).body, RTM_NEWTFILTER), undefined);
  assert.equal(decodeRedirection(new Uint8Array(20), RTM_NEWQDISC), undefined);
});
