import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reader, WireError, Writer } from "./codec.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("an attribute is a length without padding, a type, the payload and zeros up to 4 bytes", () => {
  const rows: [string, (into: Writer) => Writer, string][] = [
    ["u8", (w) => w.u8Attribute(1, 0xab), "0500" + "0100" + "ab000000"],
    ["u16", (w) => w.u16Attribute(2, 0xabcd), "0600" + "0200" + "cdab0000"],
    ["u32", (w) => w.u32Attribute(3, 0x01020304), "0800" + "0300" + "04030201"],
    ["u64", (w) => w.u64Attribute(4, 2 ** 40 + 1), "0c00" + "0400" + "0100000000010000"],
    ["be16", (w) => w.be16Attribute(5, 0x8100), "0600" + "0500" + "81000000"],
    ["be32", (w) => w.be32Attribute(6, 1), "0800" + "0600" + "00000001"],
    ["be64", (w) => w.be64Attribute(7, 1), "0c00" + "0700" + "0000000000000001"],
    ["flag", (w) => w.flagAttribute(8), "0400" + "0800"],
    [
      "bytes",
      (w) => w.bytesAttribute(9, new Uint8Array([1, 2, 3, 4, 5])),
      "0900" + "0900" + "0102030405000000",
    ],
    ["text", (w) => w.textAttribute(10, "lo"), "0700" + "0a00" + "6c6f0000"],
    ["nested", (w) => w.nest(11, (in_) => in_.u8Attribute(1, 2)), "0c00" + "0b80" + "0500010002000000"],
  ];
  for (const [what, write, expected] of rows) assert.equal(hex(write(new Writer()).finish()), expected, what);
});

test("numbers come back as they went", () => {
  const numbers = fc.record({
    u8: fc.nat(0xff),
    u16: fc.nat(0xffff),
    u32: fc.nat(0xffffffff),
    u64: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(numbers, fc.nat(64), ({ u8, u16, u32, u64 }, capacity) => {
      const writer = new Writer(capacity).u8(u8).u16(u16).u32(u32).u64(u64).be16(u16).be32(u32).be64(u64);
      const reader = new Reader(writer.finish());
      assert.deepEqual([reader.u8(0), reader.u16(1), reader.u32(3), reader.u64(7)], [u8, u16, u32, u64]);
      assert.deepEqual([reader.be16(15), reader.be32(17), reader.be64(21)], [u16, u32, u64]);
      assert.equal(reader.i32(3), u32 | 0);
      assert.equal(reader.length, 29);
    }),
  );
});

test("a list of attributes comes back in its order, a map keeps the last of a type", () => {
  const attribute = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(fc.array(attribute), fc.uint8Array({ maxLength: 20 }), (attributes, header) => {
      const writer = new Writer(8).raw(header).pad();
      const from = writer.length;
      for (const [type, payload] of attributes) writer.bytesAttribute(type, payload);
      const reader = new Reader(writer.finish());
      const list = reader.attributeList(from).map(([type, payload]) => [type, [...payload.bytes]]);
      assert.deepEqual(
        list,
        attributes.map(([type, payload]) => [type, [...payload]]),
      );
      const found = reader.attributes(from);
      const map = found.types().map((type) => [type, [...found.get(type)!.bytes]]);
      assert.deepEqual(
        map,
        [...new Map(attributes)].map(([type, payload]) => [type, [...payload]]),
      );
    }),
  );
});

test("texts are UTF-8", () => {
  const texts = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("100%", "größe0", "%41", "日本"));
  fc.assert(
    fc.property(texts, (text) => {
      fc.pre(!text.includes("\0"));
      const writer = new Writer().textAttribute(1, text);
      const [, payload] = new Reader(writer.finish()).attributeList()[0]!;
      assert.equal(hex(payload.bytes), `${hex(Buffer.from(text))}00`);
      assert.equal(payload.text(), text);
    }),
  );
});

test("a text that is not UTF-8 reads as Latin-1", () => {
  assert.equal(new Reader(new Uint8Array([0x67, 0xf6, 0])).text(), "gö");
});

test("a text ends at its NUL or with the attribute", () => {
  assert.equal(new Reader(new Uint8Array([0x61, 0, 0x62])).text(), "a");
  assert.equal(new Reader(new Uint8Array([0x61, 0x62])).text(), "ab");
  assert.equal(new Reader(new Uint8Array()).text(), "");
});

test("the flags of a type are no part of it", () => {
  const writer = new Writer()
    .nest(7, (into) => into.u8(1))
    .u16(4)
    .u16(0x4000 | 9);
  assert.deepEqual([...new Reader(writer.finish()).attributes().types()], [7, 9]);
});

test("reading outside is a WireError", () => {
  const reader = new Reader(new Uint8Array(6)).from(1, 4);
  const rows: (() => unknown)[] = [
    () => reader.u8(4),
    () => reader.u8(-1),
    () => reader.u16(3),
    () => reader.u32(1),
    () => reader.i32(1),
    () => reader.u64(0),
    () => reader.be16(3),
    () => reader.be32(1),
    () => reader.be64(0),
    () => reader.from(5),
    () => reader.from(2, 3),
    () => reader.from(2, -1),
  ];
  for (const row of rows) assert.throws(row, WireError, String(row));
  assert.equal(reader.from(4).length, 0);
});

test("an attribute shorter than its header or longer than the rest is a WireError", () => {
  for (const length of [0, 3, 9, 0xffff]) {
    const bytes = new Writer().u16(length).u16(1).u32(0).finish();
    assert.throws(() => new Reader(bytes).attributes(), WireError, String(length));
  }
});

test("any bytes are read to their end or refused with a WireError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        for (const [, payload] of new Reader(bytes).attributeList())
          assert.ok(payload.bytes.byteOffset + payload.length <= bytes.byteOffset + bytes.length);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    }),
  );
});

test("an attribute that does not fit into 16 bits of length is refused, not cut", () => {
  const large = new Uint8Array(0x10000);
  assert.throws(() => new Writer().bytesAttribute(1, large), WireError);
  assert.throws(() => new Writer().textAttribute(1, "x".repeat(0xffff)), WireError);
  assert.throws(() => new Writer().nest(1, (into) => into.raw(large)), WireError);
});
