import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { parseIp } from "../../address/ip.ts";
import { assertSaneName, decodedOrRefused } from "../malformed.node.ts";
import { isLinkLocal, isUnicast } from "./address.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { describeStatus } from "./association.ts";
import * as captures from "./captures.node.ts";
import { decodeMessage, encodeMessage, MessageType, Option } from "./message.ts";

const { CLIENT, KEA_CHANGES } = captures;
const OWN = parseIp("fd00:1::500")!;

function read(bytes: Uint8Array): { answer: Answer | undefined; log: string[] } {
  const log: string[] = [];
  const message = decodeMessage(bytes);
  const answer = readAnswer(message, CLIENT, { own: OWN, ifName: "eth0", log: (text) => log.push(text) });
  return { answer, log };
}

it("a server is known by 3 to 130 bytes (RFC 8415, section 11.1), or not listened to", () => {
  const rows: [size: number, taken: boolean][] = [
    [0, false],
    [2, false],
    [3, true],
    [130, true],
    [131, false],
  ];
  for (const [size, taken] of rows) {
    const { type, transactionId, options } = decodeMessage(KEA_CHANGES);
    const other = options.map(
      ([code, value]) => [code, code === Option.ServerId ? new Uint8Array(size) : value] as const,
    );
    const { answer } = read(encodeMessage({ type, transactionId, options: other }));
    assert.equal(answer !== undefined, taken, `${size}`);
  }
});

function assertSane({ grant, dns, preference, status, solicitMaxRt, refresh, server }: Answer): void {
  if (grant) {
    const { address, renew, rebind, valid } = grant;
    assert.ok(isUnicast(address) && !isLinkLocal(address));
    assert.ok(renew > 0 && renew <= rebind && rebind <= valid, `${renew} ${rebind} ${valid}`);
  }
  assert.ok(server.length > 0 && server.length <= 130);
  assert.ok(preference >= 0 && preference <= 255);
  assert.match(describeStatus(status), /^[ -~]{1,200}$/);
  for (const text of dns?.nameservers ?? []) {
    const [, ip, zone] = /^([0-9a-f:.]+)(%eth0)?$/.exec(text)!;
    assert.equal(isLinkLocal(parseIp(ip!)!), zone !== undefined);
  }
  for (const name of dns?.search ?? []) assertSaneName(name);
  assert.ok((dns?.search ?? []).length <= 64);
  assert.ok(solicitMaxRt === undefined || (solicitMaxRt >= 60e3 && solicitMaxRt <= 86_400e3));
  assert.ok(refresh >= 600e3);
}

function readOrRefused(bytes: Uint8Array): void {
  const { answer, log } = decodedOrRefused(() => read(bytes)) ?? {};
  if (answer) assertSane(answer);
  for (const line of log ?? []) assert.match(line, /^[ -~]{1,400}$/);
}

const codes = fc.constantFrom(...Object.values(Option));
const small = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .array(fc.constantFrom(0, 1, 5, 13, 63, 0xc0, 0xfe, 0xff), { maxLength: 40 })
    .map((list) => Uint8Array.from(list)),
);

function field(code: number, value: Uint8Array): number[] {
  return [code >> 8, code & 0xff, value.length >> 8, value.length & 0xff, ...value];
}

it("every value of every option, also within those of an association, is taken or left out", () => {
  const times = fc.constantFrom(0, 1, 600, 0x7fffffff, 0xffffffff);
  const be32 = (value: number) => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
  const head = fc.tuple(fc.constant(CLIENT.iaid), times, times).map((numbers) => numbers.flatMap(be32));
  const inner = fc.array(
    fc.oneof(
      fc.tuple(codes, small).map(([code, value]) => field(code, value)),
      fc
        .tuple(
          fc.constantFrom(
            OWN.bytes,
            new Uint8Array(16),
            OWN.bytes.map((byte) => byte ^ 0xff),
          ),
          times,
          times,
          small,
        )
        .map(([ip, preferred, valid, options]) =>
          field(Option.Address, Uint8Array.from([...ip, ...be32(preferred), ...be32(valid), ...options])),
        ),
    ),
    { maxLength: 4 },
  );
  const association = fc
    .tuple(head, inner)
    .map(
      ([numbers, options]) => [Option.Association, Uint8Array.from([...numbers, ...options.flat()])] as const,
    );
  const options = fc.array(fc.oneof(fc.tuple(codes, small), association), { maxLength: 8 });
  fc.assert(
    fc.property(options, (list) =>
      readOrRefused(
        encodeMessage({
          type: MessageType.Reply,
          transactionId: 1,
          options: [[Option.ClientId, CLIENT.duid], [Option.ServerId, Uint8Array.of(0, 3, 0, 1, 9)], ...list],
        }),
      ),
    ),
    { numRuns: 1000 },
  );
});

it("64 KB of options come to an end", () => {
  const ids = [...field(Option.ClientId, CLIENT.duid), ...field(Option.ServerId, Uint8Array.of(0, 3, 9))];
  const name = field(Option.DomainList, Uint8Array.of(1, 97, 0));
  const parts = [
    field(Option.RapidCommit, new Uint8Array()),
    name,
    field(Option.Association, new Uint8Array(12)),
    [...decodeMessage(KEA_CHANGES).options].flatMap(([code, value]) => field(code, value)),
  ];
  for (const part of parts) {
    const all = Array.from({ length: Math.floor(65000 / part.length) }, () => part).flat();
    readOrRefused(Uint8Array.from([7, 0, 0, 1, ...ids, ...all]));
  }
});
