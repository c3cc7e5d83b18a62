// A DHCP server that does harm, or tries to: `node --import ts-blank-space/register hostile-server.ts BEHAVIOUR`. It
// listens at port 67 and answers each message by broadcast with what its behaviour makes of it.
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const SERVER = [10, 66, 0, 9];
const OFFERED = [10, 66, 0, 200];
const [DISCOVER, OFFER, REQUEST, ACK, NAK] = [1, 2, 3, 5, 6];
const END = 255;

interface Asked {
  readonly type: number;
  readonly xid: Buffer;
  readonly chaddr: Buffer;
}

interface Reply {
  readonly op?: number;
  readonly xid?: Buffer;
  readonly chaddr?: Buffer;
  readonly yiaddr?: readonly number[];
  readonly file?: readonly number[];
  readonly cookie?: readonly number[];
}

/** A reply to a message, with these bytes as options. */
function reply(asked: Asked, options: readonly number[], more: Reply = {}): Buffer {
  const head = Buffer.alloc(236);
  head.set([more.op ?? 2, 1, 6, 0]);
  head.set(more.xid ?? asked.xid, 4);
  head.set(more.yiaddr ?? OFFERED, 16);
  head.set(SERVER, 20);
  head.set(more.chaddr ?? asked.chaddr, 28);
  head.set(more.file ?? [], 108);
  return Buffer.concat([head, Buffer.from(more.cookie ?? [99, 130, 83, 99]), Buffer.from(options)]);
}

const option = (code: number, ...bytes: number[]) => [code, bytes.length, ...bytes];
const text = (value: string) => [...Buffer.from(value)];
const answerTo = ({ type }: Asked) => option(53, type === DISCOVER ? OFFER : ACK);
/** What a right answer has. */
const right = (asked: Asked, times = option(51, 0, 0, 14, 16)) => [
  ...answerTo(asked),
  ...option(54, ...SERVER),
  ...option(1, 255, 255, 255, 0),
  ...times,
];

/** Options that are wrong in an answer that is right. */
const WRONG: Readonly<Record<string, readonly number[]>> = {
  "a search list that loops": option(119, 3, 97, 97, 97, 192, 0),
  "a search list that points beyond its end": option(119, 1, 97, 192, 200),
  "a domain with a line of its own": option(15, ...text("a.example\nnameserver 192.0.2.66")),
  "an MTU of 0": option(26, 0, 0),
  "half a router": option(3, 10, 66),
  "a router that is none": option(3, 255, 255, 255, 255),
  "routes of impossible length": option(121, 77, 10, 0, 0, 0, 10, 66, 0, 1),
  "half a route": option(121, 24, 10),
  "a name server that is no host": option(6, 224, 0, 0, 1),
};

/** Each gives the answers to a message. */
const BEHAVIOURS: Readonly<Record<string, (asked: Asked) => Buffer[]>> = {
  "cut answers": (asked) => {
    const whole = reply(asked, [...right(asked), END]);
    // With all of the server identifier it would be an answer.
    const needed = 240 + 3 + 6;
    return Array.from({ length: needed }, (_, length) => whole.subarray(0, length));
  },
  "lengths beyond the end": (asked) =>
    [[53], [53, 1], [53, 200, 2], [...answerTo(asked), 54, 255, 10], [...answerTo(asked), 54]].map(
      (options) => reply(asked, options),
    ),
  "options in fields that refer to each other": (asked) =>
    [1, 2, 3, 7, 255].map((where) =>
      reply(asked, [...option(52, where), END], { file: [...option(52, where), 53, 200] }),
    ),
  "answers to others": (asked) => [
    reply(asked, [...right(asked), END], { xid: randomBytes(4) }),
    reply(asked, [...right(asked), END], { chaddr: Buffer.from([2, 0, 0, 0, 0, 1]) }),
    reply(asked, [...right(asked), END], { op: 1 }),
    reply(asked, [...right(asked), END], { cookie: [1, 2, 3, 4] }),
  ],
  "no server identifier": (asked) => [
    reply(asked, [...answerTo(asked), ...option(1, 255, 255, 255, 0), END]),
  ],
  "addresses that are no host's": (asked) =>
    [
      [0, 0, 0, 0],
      [127, 0, 0, 1],
      [224, 0, 0, 1],
      [255, 255, 255, 255],
    ].map((yiaddr) => reply(asked, [...right(asked), END], { yiaddr })),
  noise: () => Array.from({ length: 300 }, (_, i) => randomBytes(i * 4)),
  "offers, and refusals": (asked) => [
    reply(asked, [
      ...option(53, asked.type === REQUEST ? NAK : OFFER),
      ...option(54, ...SERVER),
      ...option(56, ...text("no\nnever")),
      END,
    ]),
  ],
  "offers, and nothing more": (asked) =>
    asked.type === DISCOVER ? [reply(asked, [...right(asked), END])] : [],
  ...Object.fromEntries(
    Object.entries(WRONG).map(([what, bytes]) => [
      what,
      (asked: Asked) => [reply(asked, [...right(asked), ...bytes, END])],
    ]),
  ),
  "times in the wrong order": (asked) => [
    reply(asked, [...right(asked), ...option(58, 255, 255, 255, 254), ...option(59, 0, 0, 0, 1), END]),
  ],
  "a lease of no time": (asked) => [reply(asked, [...right(asked, option(51, 0, 0, 0, 0)), END])],
  "a lease for ever": (asked) => [reply(asked, [...right(asked, option(51, 255, 255, 255, 255)), END])],
};

function readAsked(packet: Buffer): Asked | undefined {
  const options = packet.subarray(240);
  for (let at = 0; at < options.length && options[at] !== END; at += 2 + options[at + 1]!)
    if (options[at] === 53)
      return { type: options[at + 2]!, xid: packet.subarray(4, 8), chaddr: packet.subarray(28, 34) };
  return undefined;
}

const behaviour = BEHAVIOURS[process.argv[2]!]!;
const socket = createSocket("udp4");
socket.on("message", (packet) => {
  const asked = readAsked(packet);
  if (!asked) return;
  for (const answer of behaviour(asked)) socket.send(answer, 68, "255.255.255.255");
  console.log(`answered ${asked.type}`);
});
socket.bind(67, () => {
  socket.setBroadcast(true);
  console.log("ready");
});
