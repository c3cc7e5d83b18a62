import assert from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../host/errno.ts";
import { Host } from "../host/host.ts";
import type { Sys } from "../host/sys.ts";
import { WireError, Writer } from "./codec.ts";
import { NetlinkError } from "./error.ts";
import {
  type Dump,
  type Message,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  type Request,
  readMessages,
  writeMessage,
} from "./message.ts";
import { NetlinkSocket } from "./socket.ts";

const CAPPED = 0x100;
const ACK_TLVS = 0x200;

/** What comes next from the kernel: an error number, or messages given the sequence number last sent. */
type Answer = number | ((last: number) => Message[]);

/** A kernel that says what it was told to. */
class ScriptedKernel {
  readonly sent: Message[][] = [];
  readonly options: [level: number, option: number][] = [];
  readonly answers: Answer[];
  sendResult = 0;

  constructor(...answers: Answer[]) {
    this.answers = answers;
  }

  socket(protocol = NETLINK_ROUTE): NetlinkSocket {
    const take = (list: Message[][], data: Uint8Array) => {
      if (this.sendResult < 0) return this.sendResult;
      list.push(readMessages(data.slice()));
      return data.length;
    };
    const sys: Partial<Sys> = {
      socket: () => 5,
      close: () => 0,
      setsockopt: (_fd, level, option) => {
        this.options.push([level, option]);
        return 0;
      },
      send: (_fd, data) => take(this.sent, data),
      recv: (_fd, into) => {
        const answer = this.answers.shift();
        if (answer === undefined) return -errno.ETIMEDOUT;
        if (typeof answer === "number") return answer;
        const writer = new Writer();
        for (const message of answer(this.#last())) writeMessage(writer, message);
        const datagram = writer.finish();
        if (datagram.length > into.length) return -errno.EMSGSIZE;
        into.set(datagram);
        return datagram.length;
      },
    };
    return NetlinkSocket.open(new Host(sys as Sys), -1, protocol);
  }

  #last(): number {
    const all = this.sent.flat();
    return Math.max(...all.map(({ sequence }) => sequence));
  }
}

function verdict(sequence: number, number = 0, text = "", offset = 0): Message {
  const body = new Writer().u32(2 ** 32 - number).zeros(16);
  if (text !== "") body.textAttribute(1, text);
  if (offset > 0) body.u32Attribute(2, offset);
  return { type: 2, flags: CAPPED | (body.length > 20 ? ACK_TLVS : 0), sequence, body: body.finish() };
}

const end = (sequence: number, flags = 2): Message => ({ type: 3, flags, sequence, body: new Uint8Array(4) });
const item = (sequence: number, value: number, flags = 2): Message => ({
  type: 40,
  flags,
  sequence,
  body: new Uint8Array([value]),
});
const request = (what: string, flags = 0): Request => ({ type: 20, flags, body: new Uint8Array(8), what });
const numbers: Dump<number> = {
  type: 18,
  body: new Uint8Array(16),
  what: "list the numbers",
  decode: (body, type) => (type === 40 ? body[0] : undefined),
};

/** The NetlinkError that `work` throws. */
function refusal(work: () => unknown): NetlinkError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof NetlinkError, String(error));
    return error;
  }
  assert.fail("nothing was refused");
}

test("a batch goes in one send, the last request asks for an acknowledgement, which is awaited", () => {
  const kernel = new ScriptedKernel((last) => [verdict(last)]);
  kernel.socket().execute([request("one", 0x600), request("two")]);
  assert.equal(kernel.sent.length, 1);
  const [one, two] = kernel.sent[0]!;
  assert.equal(one!.flags, 0x600 | NLM_F_REQUEST);
  assert.equal(two!.flags, NLM_F_REQUEST | NLM_F_ACK);
  assert.equal(two!.sequence, one!.sequence + 1);
  assert.equal(kernel.answers.length, 0);
});

test("no request, no message", () => {
  const kernel = new ScriptedKernel();
  const socket = kernel.socket();
  socket.execute([]);
  assert.deepEqual(kernel.sent, []);
});

test("the first refused request is reported with the kernel's words, after all acknowledgements", () => {
  const kernel = new ScriptedKernel(
    (last) => [verdict(last - 2), verdict(last - 1, errno.EEXIST, "ipv4: Address already assigned.", 24)],
    (last) => [verdict(last, errno.EPERM)],
  );
  const error = refusal(() => kernel.socket().execute([request("one"), request("add it"), request("three")]));
  assert.equal(error.message, "cannot add it: File exists (EEXIST): ipv4: Address already assigned.");
  const { what, errno: number, kernelText, index, offset } = error;
  assert.deepEqual(
    { what, number, kernelText, index, offset },
    {
      what: "add it",
      number: errno.EEXIST,
      kernelText: "ipv4: Address already assigned.",
      index: 1,
      offset: 24,
    },
  );
  assert.equal(kernel.answers.length, 0);
});

test("error texts say what is wrong", () => {
  const rows: [number, string][] = [
    [errno.EPERM, "cannot do it: Operation not permitted, needs CAP_NET_ADMIN (EPERM)"],
    [errno.ENODEV, "cannot do it: No such device (ENODEV)"],
    [errno.EOPNOTSUPP, "cannot do it: Not supported by this kernel (EOPNOTSUPP)"],
    [54, "cannot do it: Refused by the kernel (errno 54)"],
  ];
  for (const [number, expected] of rows) {
    const kernel = new ScriptedKernel((last) => [verdict(last, number)]);
    assert.equal(refusal(() => kernel.socket().execute([request("do it")])).message, expected);
  }
});

test("an error that repeats the whole request is understood too", () => {
  const kernel = new ScriptedKernel((last) => {
    const body = new Writer()
      .u32(2 ** 32 - errno.EINVAL)
      .u32(22)
      .zeros(18)
      .pad()
      .textAttribute(1, "no");
    return [{ type: 2, flags: ACK_TLVS, sequence: last, body: body.finish() }];
  });
  assert.equal(refusal(() => kernel.socket().execute([request("do it")])).kernelText, "no");
});

test("late answers to earlier requests are skipped", () => {
  const kernel = new ScriptedKernel(
    (last) => [verdict(last - 1, errno.EBUSY), item(0, 1), item(last + 5, 1)],
    (last) => [verdict(last)],
    (last) => [item(last - 1, 1), item(last, 2), end(last - 1), end(last)],
  );
  const socket = kernel.socket();
  socket.execute([request("one")]);
  assert.deepEqual(socket.dump(numbers), [2]);
});

test("a batch in which some requests ask for acknowledgements awaits only those", () => {
  const batch = [request("begin"), request("one"), request("two", NLM_F_ACK), request("commit")];
  const kernel = new ScriptedKernel((last) => [verdict(last - 1)]);
  kernel.socket(NETLINK_NETFILTER).execute(batch);
  assert.deepEqual(
    kernel.sent[0]!.map(({ flags }) => flags),
    [NLM_F_REQUEST, NLM_F_REQUEST, NLM_F_REQUEST | NLM_F_ACK, NLM_F_REQUEST],
  );

  const inside = new ScriptedKernel((last) => [verdict(last - 2, errno.ENOENT), verdict(last - 1)]);
  const error = refusal(() => inside.socket(NETLINK_NETFILTER).execute(batch));
  assert.deepEqual([error.what, error.index], ["one", 1]);
  assert.equal(inside.answers.length, 0);

  // The kernel refuses the batch as a whole: there will be no acknowledgement.
  const whole = new ScriptedKernel((last) => [verdict(last - 3, errno.EPERM)]);
  assert.equal(refusal(() => whole.socket(NETLINK_NETFILTER).execute(batch)).what, "begin");
});

test("a missing acknowledgement is a timeout that names the request", () => {
  const kernel = new ScriptedKernel((last) => [verdict(last - 1)]);
  const error = refusal(() => kernel.socket().execute([request("one"), request("two")]));
  assert.equal(error.message, "cannot two: The kernel did not answer in time (ETIMEDOUT)");
});

test("what cannot be sent or received is an error of the request", () => {
  const kernel = new ScriptedKernel();
  kernel.sendResult = -errno.ENOBUFS;
  const socket = kernel.socket();
  assert.equal(refusal(() => socket.execute([request("one")])).errno, errno.ENOBUFS);
  assert.equal(refusal(() => socket.dump(numbers)).errno, errno.ENOBUFS);
  const lost = new ScriptedKernel(-errno.ENOBUFS);
  assert.equal(refusal(() => lost.socket().execute([request("one")])).errno, errno.ENOBUFS);
});

test("a batch beyond the default buffers asks for larger ones", () => {
  const many = Array.from({ length: 100 }, (_, i) => request(`${i}`));
  const kernel = new ScriptedKernel(
    (last) => many.map((_, i) => verdict(last - 99 + i)).slice(0, 20),
    -errno.EINTR,
  );
  assert.equal(refusal(() => kernel.socket().execute(many)).errno, errno.EINTR);
  assert.deepEqual(kernel.options.at(-1), [1, 33]);
  const large = { ...request("large"), body: new Uint8Array(100_000) };
  const other = new ScriptedKernel((last) => [verdict(last)]);
  other.socket().execute([large]);
  assert.deepEqual(other.options.at(-1), [1, 32]);
});

test("a request that is often refused gives false, other refusals are errors", () => {
  const row = (number: number) => new ScriptedKernel((last) => [verdict(last, number)]).socket();
  assert.equal(row(0).attempt(request("try"), errno.EEXIST), true);
  assert.equal(row(errno.EEXIST).attempt(request("try"), errno.EEXIST), false);
  assert.equal(refusal(() => row(errno.EPERM).attempt(request("try"), errno.EEXIST)).errno, errno.EPERM);
});

test("tolerated refusals of a batch are none, the first other one is told", () => {
  const kernel = (first: number, second: number) =>
    new ScriptedKernel((last) => [
      verdict(last - 2, first),
      verdict(last - 1, second),
      verdict(last, errno.ENOENT),
    ]).socket();
  const requests = ["one", "two", "three"].map((what) => request(what));
  const tolerated = [errno.EEXIST, errno.ENOENT];
  kernel(errno.EEXIST, errno.ENOENT).execute(requests, ...tolerated);
  const error = refusal(() => kernel(errno.EEXIST, errno.EPERM).execute(requests, ...tolerated));
  assert.deepEqual([error.what, error.errno, error.index], ["two", errno.EPERM, 1]);
});

test("a question in the same send is answered when the requests are done", () => {
  const ask = (...answers: Answer[]) => {
    const kernel = new ScriptedKernel(...answers);
    const answer = kernel.socket().executeThen([request("make"), request("mark")], numbers);
    assert.equal(kernel.sent.length, 1);
    assert.deepEqual(
      kernel.sent[0]!.map(({ flags }) => flags & NLM_F_ACK),
      [0, 0, NLM_F_ACK],
    );
    return answer;
  };
  assert.equal(
    ask(
      (last) => [item(last, 7)],
      (last) => [verdict(last)],
    ),
    7,
  );
  assert.equal(
    ask((last) => [verdict(last, errno.ENODEV)]),
    undefined,
  );
  const refused = refusal(() =>
    ask((last) => [verdict(last - 1, errno.EPERM), item(last, 7), verdict(last)]),
  );
  assert.deepEqual([refused.what, refused.errno, refused.index], ["mark", errno.EPERM, 1]);
});

test("a query gives its first answer, and undefined for what is not there", () => {
  const found = new ScriptedKernel((last) => [item(last, 7)]);
  assert.equal(found.socket().query(numbers), 7);
  assert.equal(found.sent[0]![0]!.flags, NLM_F_REQUEST);
  for (const number of [errno.ENODEV, errno.ENOENT]) {
    const missing = new ScriptedKernel((last) => [verdict(last, number)]);
    assert.equal(missing.socket().query(numbers), undefined);
  }
  const refused = new ScriptedKernel((last) => [verdict(last, errno.EPERM)]);
  assert.equal(refusal(() => refused.socket().query(numbers)).errno, errno.EPERM);
});

test("a dump in several parts", () => {
  const kernel = new ScriptedKernel(
    (last) => [item(last, 1), item(last, 2)],
    (last) => [item(last, 3), { ...item(last, 0), type: 41 }],
    (last) => [end(last)],
  );
  assert.deepEqual(kernel.socket().dump(numbers), [1, 2, 3]);
  assert.equal(kernel.sent[0]![0]!.flags, NLM_F_REQUEST | NLM_F_DUMP);
});

test("a dump is repeated when something changed meanwhile, or when messages were lost", () => {
  const rows: Answer[][] = [
    [(last) => [item(last, 1, 2 | NLM_F_DUMP_INTR), end(last)]],
    [(last) => [item(last, 1), end(last, NLM_F_DUMP_INTR)]],
    [-errno.ENOBUFS, (last) => [end(last)]],
  ];
  for (const first of rows) {
    const kernel = new ScriptedKernel(...first, (last) => [item(last, 5), end(last)]);
    assert.deepEqual(kernel.socket().dump(numbers), [5]);
    assert.equal(kernel.sent.length, 2);
  }
});

test("a dump that changes for ever is given up", () => {
  const always: Answer = (last) => [end(last, NLM_F_DUMP_INTR)];
  const kernel = new ScriptedKernel(...Array<Answer>(20).fill(always));
  const error = refusal(() => kernel.socket().dump(numbers));
  assert.match(error.message, /^cannot list the numbers: .*EBUSY.*changed during each of 8 readings$/);
  assert.equal(kernel.sent.length, 8);
});

test("an error ends a dump, also one in its last message", () => {
  const refused = new ScriptedKernel((last) => [verdict(last, errno.EINVAL, "Invalid header")]);
  assert.equal(refusal(() => refused.socket().dump(numbers)).kernelText, "Invalid header");
  const failing = new ScriptedKernel((last) => {
    const body = new Writer().u32(2 ** 32 - errno.ENODEV).textAttribute(1, "gone");
    return [item(last, 1), { type: 3, flags: 2 | ACK_TLVS, sequence: last, body: body.finish() }];
  });
  const error = refusal(() => failing.socket().dump(numbers));
  assert.deepEqual([error.errno, error.kernelText], [errno.ENODEV, "gone"]);
});

test("a dump without an end is a timeout, a message too long an error", () => {
  const endless = new ScriptedKernel((last) => [item(last, 1)]);
  assert.equal(refusal(() => endless.socket().dump(numbers)).errno, errno.ETIMEDOUT);
  const long = new ScriptedKernel((last) => [{ ...item(last, 1), body: new Uint8Array(40_000) }]);
  assert.equal(refusal(() => long.socket().dump(numbers)).errno, errno.EMSGSIZE);
});

test("a malformed answer is thrown after the dump was read to its end", () => {
  const broken: Dump<number> = {
    ...numbers,
    decode: (body) => {
      throw new WireError(`bad ${body[0]}`);
    },
  };
  const kernel = new ScriptedKernel(
    (last) => [item(last, 1), item(last, 2)],
    (last) => [end(last)],
    (last) => [item(last, 3), end(last)],
  );
  const socket = kernel.socket();
  assert.throws(() => socket.dump(broken), { name: "WireError", message: "bad 1" });
  assert.deepEqual(socket.dump(numbers), [3]);
});

test("a malformed datagram is a WireError", () => {
  const kernel = new ScriptedKernel((last) => [
    { type: 2, flags: 0, sequence: last, body: new Uint8Array(2) },
  ]);
  assert.throws(() => kernel.socket().execute([request("one")]), WireError);
});
