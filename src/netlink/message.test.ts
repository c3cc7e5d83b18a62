import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WireError, Writer } from "./codec.ts";
import { type Message, readMessages, writeMessage } from "./message.ts";

const message: fc.Arbitrary<Message> = fc.record({
  type: fc.nat(0xffff),
  flags: fc.nat(0xffff),
  sequence: fc.nat(0xffffffff),
  body: fc.uint8Array({ maxLength: 40 }),
});

test("messages of one datagram come back as they went", () => {
  fc.assert(
    fc.property(fc.array(message), (messages) => {
      const writer = new Writer(8);
      for (const each of messages) writeMessage(writer, each);
      const read = readMessages(writer.finish());
      assert.deepEqual(
        read.map(({ body, ...head }) => ({ ...head, body: [...body] })),
        messages.map(({ body, ...head }) => ({ ...head, body: [...body] })),
      );
    }),
  );
});

test("any bytes are read to their end or refused with a WireError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        readMessages(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    }),
  );
});

test("a length shorter than the header or longer than the datagram is a WireError", () => {
  for (const length of [0, 15, 21, 0xffffffff]) {
    const datagram = new Writer().u32(length).zeros(16).finish();
    assert.throws(() => readMessages(datagram), WireError, String(length));
  }
});
