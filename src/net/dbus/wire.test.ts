import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeSystem } from "../../host/fake.ts";
import { Host } from "../../host/host.ts";
import {
  DBusWireError,
  decodeMessage,
  encodeMessage,
  FIXED_HEADER,
  METHOD_CALL,
  type Message,
  messageLength,
  splitSignature,
  type Value,
} from "./wire.ts";

const host = new Host(new FakeSystem().sys);

/** A signature of one type, and a value of it. */
type Typed = readonly [signature: string, value: Value];

const text = fc.string({ unit: "grapheme" }).filter((each) => !each.includes("\0"));
const { typed } = fc.letrec<{ typed: Typed }>((tie) => ({
  typed: fc.oneof(
    { depthSize: "small" },
    fc.tuple(fc.constant("y"), fc.nat(0xff)),
    fc.tuple(fc.constant("b"), fc.boolean()),
    fc.tuple(fc.constant("n"), fc.integer({ min: -0x8000, max: 0x7fff })),
    fc.tuple(fc.constant("q"), fc.nat(0xffff)),
    fc.tuple(fc.constant("i"), fc.integer({ min: -0x80000000, max: 0x7fffffff })),
    fc.tuple(fc.constant("u"), fc.nat(0xffffffff)),
    fc.tuple(fc.constant("x"), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    fc.tuple(fc.constant("t"), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    fc.tuple(fc.constantFrom("s", "o"), text),
    tie("typed").map(([signature, value]): Typed => ["v", { signature, value }]),
    fc
      .tuple(tie("typed"), fc.nat(3))
      .map(([[signature, value], count]): Typed => [`a${signature}`, Array<Value>(count).fill(value)]),
    fc
      .array(tie("typed"), { minLength: 1, maxLength: 4 })
      .map(
        (members): Typed => [
          `(${members.map(([signature]) => signature).join("")})`,
          members.map(([, value]) => value),
        ],
      ),
    tie("typed").map(([signature, value]): Typed => [`a{s${signature}}`, [["key", value]]]),
  ),
}));

test("messages are read as they were written", () => {
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 4 }), fc.nat(255), (body, flags) => {
      const message: Message = {
        type: METHOD_CALL,
        flags,
        serial: 7,
        path: "/a/b",
        member: "Member",
        destination: "a.b",
        signature: body.map(([signature]) => signature).join(""),
        body: body.map(([, value]) => value),
      };
      const bytes = encodeMessage(host, message);
      assert.equal(messageLength(host, bytes.subarray(0, FIXED_HEADER)), bytes.length);
      const { signature, ...rest } = decodeMessage(host, bytes);
      assert.deepEqual({ ...rest, signature: signature ?? "" }, message);
    }),
  );
});

test("the bytes of a message: lengths, alignment and byte order", () => {
  const message = { type: METHOD_CALL, serial: 1, path: "/", member: "M", signature: "yu", body: [1, 2] };
  const bytes = [
    ...[0x6c, 1, 0, 1, 8, 0, 0, 0, 1, 0, 0, 0],
    // The header fields, with the padding between them.
    ...[40, 0, 0, 0],
    ...[1, 1, 0x6f, 0, 1, 0, 0, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0],
    ...[3, 1, 0x73, 0, 1, 0, 0, 0, 0x4d, 0, 0, 0, 0, 0, 0, 0],
    ...[8, 1, 0x67, 0, 2, 0x79, 0x75, 0],
    ...[1, 0, 0, 0, 2, 0, 0, 0],
  ];
  assert.deepEqual([...encodeMessage(host, message)], bytes);
});

test("a message in big-endian byte order is read too", () => {
  const bytes = [
    ...[0x42, 2, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0, 15],
    ...[5, 1, 0x75, 0, 0, 0, 0, 3, 8, 1, 0x67, 0, 1, 0x75, 0, 0],
    ...[0, 0, 1, 0],
  ];
  const { type, serial, replySerial, body } = decodeMessage(host, Uint8Array.from(bytes));
  assert.deepEqual([type, serial, replySerial, body], [2, 9, 3, [256]]);
});

test("signatures are split into single types", () => {
  for (const [signature, types] of [
    ["", []],
    ["ssu", ["s", "s", "u"]],
    ["a{sv}u(s(ii))aas", ["a{sv}", "u", "(s(ii))", "aas"]],
  ] as const)
    assert.deepEqual(splitSignature(signature), types);
});

test("what is no message, or fits no type, is told", () => {
  const call = { type: METHOD_CALL, serial: 1, path: "/", member: "M" };
  for (const [act, message] of [
    [() => encodeMessage(host, { ...call, signature: "s", body: ["a\0b"] }), /has a NUL/],
    [() => encodeMessage(host, { ...call, signature: "ss", body: ["a"] }), /^1 values for/],
    [() => encodeMessage(host, { ...call, signature: "z", body: [1] }), /type z/],
    [() => splitSignature("a"), /incomplete signature/],
    [() => splitSignature("(s"), /incomplete signature/],
    [() => splitSignature("a()"), /empty struct/],
    [() => decodeMessage(host, encodeMessage(host, call).subarray(0, 30)), /ends too early/],
    [() => messageLength(host, new Uint8Array(16)), /version 0/],
  ] as const)
    assert.throws(act, (error) => error instanceof DBusWireError && message.test(error.message));
});

test("random bytes are read or refused, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 200 }), (bytes) => {
      bytes.set([0x6c, 2, 0, 1]);
      try {
        decodeMessage(host, bytes);
      } catch (error) {
        assert.ok(error instanceof DBusWireError, `${error}`);
      }
    }),
  );
});
