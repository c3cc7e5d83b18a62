import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyFamily, anyIp, anyMac, anyPart, anyU32 } from "../../test/arbitraries.ts";
import { parseIp } from "../address/ip.ts";
import { WireError, Writer } from "./codec.ts";
import {
  addNeighbour,
  decodeNeighbour,
  listNeighbours,
  type Neighbour,
  removeNeighbour,
} from "./neighbour.ts";

const RTM_NEWNEIGH = 28;

test("a neighbour comes back as it went", () => {
  const anyRest = anyPart({ mac: anyMac, state: fc.nat(0xffff), flags: fc.nat(0xff) });
  fc.assert(
    fc.property(anyFamily.chain(anyIp), anyRest, anyU32, (ip, rest, index) => {
      const neighbour: Neighbour = { ip, ...rest };
      const { body, type } = addNeighbour({ index, name: "x" }, neighbour);
      assert.deepEqual(decodeNeighbour(body, type), { link: index, state: 0x80, flags: 0, ...neighbour });
      assert.deepEqual(removeNeighbour({ index, name: "x" }, neighbour).body, body);
    }),
  );
});

test("a list leaves out what an old kernel did not filter", () => {
  const { body, type } = addNeighbour({ index: 3, name: "eth0" }, { ip: parseIp("10.1.2.1")! });
  assert.equal(listNeighbours({ link: 4 }).decode(body, type), undefined);
  assert.equal(listNeighbours({ link: 3 }).decode(body, type)?.link, 3);
  assert.equal(listNeighbours({ link: 3 }).decode(body, 29), undefined);
});

test("a neighbour without an address is a WireError, one of another family is passed over", () => {
  assert.throws(() => decodeNeighbour(new Writer().u32(2).zeros(8).finish(), RTM_NEWNEIGH), WireError);
  assert.equal(decodeNeighbour(new Writer().u32(7).zeros(8).finish(), RTM_NEWNEIGH), undefined);
});
