import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Cidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import { Reader, Writer } from "../codec.ts";
import { NLM_F_ACK } from "../message.ts";
import { batch } from "./batch.ts";
import { COMMENT_LENGTH_MAX, decodeComment, encodeComment } from "./comment.ts";
import { concatenate, range } from "./element.ts";
import { decodeExpressions, type Expression, operand, verdict } from "./expressions.ts";
import { matchInterface, matchIp } from "./match.ts";
import { deleteTable } from "./table.ts";

const LIST = 4;

function decoded(...expressions: Expression[]) {
  const written = new Writer().nest(LIST, (list) => {
    for (const append of expressions) append(list);
  });
  return decodeExpressions(new Reader(written.finish()).attributes().get(LIST));
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const cidrs = fc
  .constantFrom(4, 16)
  .chain((length) => fc.tuple(bytes(length), fc.integer({ min: 0, max: length * 8 })))
  .map(([ip, prefixLength]) => new Cidr(new Ip(ip), prefixLength));

test("matching a network means: load, keep the prefix, compare with the network's address", () => {
  fc.assert(
    fc.property(cidrs, bytes(16), fc.boolean(), (cidr, random, not) => {
      const [load, ...rest] = decoded(matchIp("daddr", cidr, { not }));
      const length = load!.attributes.get(4)!.be32();
      const value = operand(rest.at(-1)!) as Uint8Array;
      // What the kernel does with the bytes of a packet.
      const matches = ({ bytes }: Ip): boolean => {
        const mask = rest.length === 2 ? rest[0]!.attributes.get(4)!.attributes().get(1)!.bytes : undefined;
        const loaded = bytes.subarray(0, length).map((byte, index) => byte & (mask?.[index] ?? 0xff));
        return (loaded.join() === value.join()) !== not;
      };
      const other = new Ip(random.slice(0, cidr.ip.bytes.length));
      for (const ip of [cidr.ip, cidr.networkAddress, cidr.lastAddress, cidr.networkAddress.plus(-1), other])
        assert.equal(matches(ip), cidr.contains(ip) !== not, `${ip} in ${cidr}`);
    }),
  );
});

test("verdicts come back as they were written", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -5, max: 1 }),
      fc.option(fc.stringMatching(/^[a-z]{1,30}$/), { nil: undefined }),
      (code, chain) => {
        const value = { code, ...(chain !== undefined && { chain }) };
        assert.deepEqual(decoded(verdict(value)).map(operand), [value]);
      },
    ),
  );
});

test("interface names fill a register with NULs, prefixes do not", () => {
  const rows: [name: string, value: string][] = [
    ["eth0", `eth0${"\0".repeat(12)}`],
    ["veth*", "veth"],
    ["abcdefghijklmno", "abcdefghijklmno\0"],
  ];
  for (const [name, value] of rows)
    assert.equal(
      String.fromCharCode(...(operand(decoded(matchInterface("iifname", name))[1]!) as Uint8Array)),
      value,
      name,
    );
});

test("comments come back as they were written, also behind other user data", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ -~]{0,128}$/), fc.uint8Array({ maxLength: 20 }), (comment, other) => {
      const userData = Uint8Array.from([9, other.length, ...other, ...encodeComment(comment)]);
      assert.equal(decodeComment(new Reader(userData)), comment);
    }),
  );
  assert.equal(decodeComment(undefined), undefined);
  assert.equal(decodeComment(new Reader(Uint8Array.of(1, 1, 0))), undefined);
  assert.deepEqual(encodeComment("ab"), Uint8Array.of(0, 3, 97, 98, 0));
  assert.throws(() => encodeComment("x".repeat(COMMENT_LENGTH_MAX + 1)), RangeError);
});

test("user data of any form give a comment or none", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (userData) => {
      const comment = decodeComment(new Reader(userData));
      assert.ok(comment === undefined || comment.length <= userData.length);
    }),
  );
});

test("a batch is closed in, and its last request is the one that is acknowledged", () => {
  const requests = ["a", "b", "c"].map((name) => deleteTable({ family: "ip", name }));
  const whole = batch(requests);
  assert.deepEqual(
    whole.map(({ type }) => type),
    [0x10, 0xa02, 0xa02, 0xa02, 0x11],
  );
  assert.deepEqual(
    whole.map(({ flags }) => flags & NLM_F_ACK),
    [0, 0, 0, NLM_F_ACK, 0],
  );
  assert.deepEqual(whole[0]!.body, Uint8Array.of(0, 0, 0, 10));
  assert.deepEqual(batch([]), []);
});

test("a range ends with the first key behind it", () => {
  const rows: [last: number[], end: number[] | undefined][] = [
    [
      [10, 255, 255, 255],
      [11, 0, 0, 0],
    ],
    [
      [10, 0, 0, 9],
      [10, 0, 0, 10],
    ],
    [[255, 255, 255, 255], undefined],
  ];
  for (const [last, end] of rows) {
    const [first, second] = range({ key: Uint8Array.of(10, 0, 0, 0) }, Uint8Array.from(last));
    assert.deepEqual(first, { key: Uint8Array.of(10, 0, 0, 0) });
    assert.deepEqual(second, end && { key: Uint8Array.from(end), isEnd: true });
  }
});

test("each part of a concatenation fills whole registers", () => {
  assert.deepEqual(
    concatenate(Uint8Array.of(6), Uint8Array.of(0, 80)),
    Uint8Array.of(6, 0, 0, 0, 0, 80, 0, 0),
  );
});
