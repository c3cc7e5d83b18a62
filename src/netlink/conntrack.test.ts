import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyFamily, anyIp, anyU32 } from "../../test/arbitraries.ts";
import { parseIp } from "../address/ip.ts";
import { Writer } from "./codec.ts";
import {
  type Connection,
  decodeConnection,
  deleteConnection,
  deleteConnectionsAnsweredBy,
  listConnections,
  type Tuple,
} from "./conntrack.ts";
import { mentions } from "./message.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** A connection as the kernel tells it: what deleting one says, with the other direction's tuple and the status. */
function told(connection: Connection): Uint8Array {
  const { reply, status } = connection;
  const { body } = deleteConnection({ original: reply });
  const tuple = body.slice(4);
  // CTA_TUPLE_ORIG becomes CTA_TUPLE_REPLY.
  tuple[2] = 2;
  return new Writer().raw(deleteConnection(connection).body).raw(tuple).be32Attribute(3, status).finish();
}

const anyPort = fc.nat(0xffff);
const anyTuple = (family: 4 | 6): fc.Arbitrary<Tuple> =>
  fc.record(
    {
      source: anyIp(family),
      destination: anyIp(family),
      protocol: fc.nat(255),
      sourcePort: anyPort,
      destinationPort: anyPort,
      zone: fc.option(anyPort, { nil: undefined }),
    },
    { noNullPrototype: true },
  );
const anyConnection: fc.Arbitrary<Connection> = anyFamily.chain((family) =>
  fc.record(
    {
      original: anyTuple(family),
      reply: anyTuple(family),
      status: anyU32,
      id: fc.option(anyU32, { nil: undefined }),
      zone: fc.option(anyPort, { nil: undefined }),
    },
    { noNullPrototype: true },
  ),
);

test("a connection comes back as it went", () => {
  fc.assert(
    fc.property(anyConnection, (connection) =>
      assert.deepEqual(decodeConnection(told(connection)), connection),
    ),
  );
});

test("a list has what the filter wants, although an old kernel sends all", () => {
  fc.assert(
    fc.property(anyConnection, (connection) => {
      const { original, reply } = connection;
      const family = original.source.family;
      const to = { protocol: original.protocol, port: original.destinationPort };
      const body = told(connection);
      for (const filter of [{}, { family }, { family, to }, { family, answeredBy: reply.source }]) {
        const { decode, mention } = listConnections(filter);
        assert.deepEqual(decode(body, 0x100), connection);
        assert.ok(mention === undefined || mentions(body, mention), "it would be overlooked");
      }
      const other = family === 4 ? 6 : 4;
      for (const filter of [
        { family: other } as const,
        { family, to: { ...to, protocol: (to.protocol + 1) % 256 } },
        { family, to: { ...to, port: (to.port + 1) % 65536 } },
        { family, answeredBy: reply.source.plus(1) },
      ])
        assert.equal(listConnections(filter).decode(body, 0x100), undefined);
    }),
  );
});

test("the bytes of a filter, and of a deletion by one", () => {
  const port = listConnections({ family: 4, to: { protocol: 17, port: 8053 } });
  assert.equal(port.type, 0x101);
  assert.equal(
    hex(port.body),
    // AF_INET; CTA_TUPLE_ORIG with CTA_TUPLE_PROTO: number 17, destination port 8053; CTA_FILTER: protocol and that port.
    `02000000${"18000180"}${"14000280"}${"0500010011000000"}${"060003001f750000"}${"14001980"}${"0800010028000000"}${"0800020000000000"}`,
  );
  const { type, body, what } = deleteConnectionsAnsweredBy(parseIp("10.1.2.3")!);
  assert.equal(type, 0x102);
  assert.equal(what, "forget the connections to 10.1.2.3");
  assert.equal(
    hex(body),
    `02010000${"10000280"}${"0c000180"}${"080001000a010203"}${"14001980"}${"0800010000000000"}${"0800020001000000"}`,
  );
});

test("what has no addresses is passed over, what has no ports has port 0", () => {
  assert.equal(decodeConnection(new Writer().u32(2).be32Attribute(3, 8).finish()), undefined);
  const ip = (into: Writer) =>
    into.nest(1, (nest) =>
      nest.bytesAttribute(1, Uint8Array.of(10, 0, 0, 1)).bytesAttribute(2, new Uint8Array(4)),
    );
  const body = new Writer().u32(2).nest(1, ip).nest(2, ip).finish();
  const { original } = decodeConnection(body)!;
  assert.deepEqual([original.protocol, original.sourcePort, original.destinationPort], [0, 0, 0]);
});
