import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WireError, Writer } from "../netlink/codec.ts";
import { BytesReader, printable } from "./bytes.ts";

test("numbers, bytes and addresses are read one after the other, in network byte order", () => {
  const numbers = fc.record({ u8: fc.nat(0xff), u16: fc.nat(0xffff), u32: fc.nat(0xffffffff) });
  fc.assert(
    fc.property(numbers, fc.uint8Array({ maxLength: 20 }), ({ u8, u16, u32 }, bytes) => {
      const writer = new Writer().u8(u8).be16(u16).be32(u32).raw(bytes).be32(0x0a010203).raw(bytes);
      const reader = new BytesReader(writer.finish());
      assert.deepEqual([reader.u8(), reader.u16(), reader.u32()], [u8, u16, u32]);
      assert.deepEqual([...reader.bytes(bytes.length)], [...bytes]);
      assert.equal(reader.remaining, 4 + bytes.length);
      assert.equal(`${reader.ip(4)}`, "10.1.2.3");
      assert.deepEqual([...reader.rest()], [...bytes]);
      assert.equal(reader.remaining, 0);
    }),
  );
});

test("what is a part of other bytes is read from its own first to its own last", () => {
  const reader = new BytesReader(Uint8Array.of(9, 1, 2, 3, 9).subarray(1, 4));
  assert.deepEqual([reader.u8(), ...reader.rest()], [1, 2, 3]);
  assert.throws(() => reader.u8(), WireError);
});

test("reading past the end is a WireError that leaves the reader where it was", () => {
  const rows: [available: number, read: (reader: BytesReader) => unknown][] = [
    [0, (reader) => reader.u8()],
    [0, (reader) => reader.bytes(1)],
    [3, (reader) => reader.ip(4)],
    [15, (reader) => reader.ip(16)],
  ];
  for (const [available, read] of rows) {
    const reader = new BytesReader(new Uint8Array(available));
    assert.throws(() => read(reader), WireError, String(read));
    assert.equal(reader.remaining, available);
  }
  assert.throws(() => new BytesReader(new Uint8Array(1)).u16(), WireError);
  assert.throws(() => new BytesReader(new Uint8Array(3)).u32(), WireError);
});

test("an address stays what it is when the packet's memory is used again", () => {
  const packet = Uint8Array.of(10, 1, 2, 3);
  const ip = new BytesReader(packet).ip(4);
  packet.fill(0xff);
  assert.equal(`${ip}`, "10.1.2.3");
});

test("what cannot be printed is not", () => {
  const rows: [bytes: number[], text: string][] = [
    [[], ""],
    [[0x61, 0x20, 0x7e], "a ~"],
    [[0x0a, 0x1b, 0x00, 0x7f, 0x80, 0x9b, 0xff], "???????"],
  ];
  for (const [bytes, text] of rows) assert.equal(printable(Uint8Array.from(bytes)), text);
});
