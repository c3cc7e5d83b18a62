import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WireError, Writer } from "./codec.ts";
import {
  type Message,
  mentions,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  readMessages,
  writeMessage,
} from "./message.ts";

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

test("of a datagram without interest, only control messages and interruptions are read", () => {
  const rows: [type: number, flags: number, kept: boolean][] = [
    [NLMSG_DONE, 2, true],
    [0xa06, 2, false],
    [0xa06, 2 | NLM_F_DUMP_INTR, true],
    [16, 0, false],
    [15, 0, true],
  ];
  const writer = new Writer();
  for (const [type, flags] of rows)
    writeMessage(writer, { type, flags, sequence: 7, body: new Uint8Array(5) });
  assert.deepEqual(
    readMessages(writer.finish(), true).map(({ type, flags }) => [type, flags]),
    rows.flatMap(([type, flags, kept]) => (kept ? [[type, flags]] : [])),
  );
});

test("a text is found where it is, and only whole", () => {
  const text = fc.stringMatching(/^[a-c-]{1,6}$/);
  fc.assert(
    fc.property(fc.stringMatching(/^[a-c-]{0,40}$/), text, (where, what) => {
      const bytes = new TextEncoder().encode(where);
      assert.equal(mentions(bytes, what), where.includes(what));
      assert.equal(
        mentions(Uint8Array.from([0xc3, ...bytes, ...new TextEncoder().encode(what)]), what),
        true,
      );
    }),
  );
});
