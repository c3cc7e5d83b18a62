import { errno } from "../host/errno.ts";
import { check, type Host } from "../host/host.ts";
import type { Sys } from "../host/sys.ts";
import { Writer } from "./codec.ts";
import { isNetlinkErrno, NetlinkError, readVerdict, type Verdict } from "./error.ts";
import {
  type Dump,
  type Message,
  mentions,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  type Query,
  type Request,
  readMessages,
  writeMessage,
} from "./message.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** The kernel answers within milliseconds; a grace period or a module to load may take a second. */
const TIMEOUT_MS = 10_000;
/** One link with all its attributes has 1 to 3 KB, an acknowledgement 36 bytes and at most a line of text. */
const ANSWER_SIZE = 8192;
/** The kernel sends a dump in pieces as large as our buffer, up to this (net/netlink/af_netlink.c). */
const DUMP_SIZE = 32768;
const ATTEMPTS = 8;
/** What the default socket buffers (net.core.wmem_default, rmem_default) hold for certain. */
const SAFE_SEND_BYTES = 64 << 10;
const SAFE_ACKS = 64;
/** An upper limit for what the kernel charges to the receive buffer for one acknowledgement. */
const ACK_COST = 2048;

/** What the kernel says of an object that does not exist. */
const NOT_THERE: readonly number[] = [errno.ENODEV, errno.ENOENT];

/** What the kernel said to a request of a batch. */
interface Refusal {
  readonly index: number;
  readonly verdict: Verdict;
}

interface Batch {
  readonly requests: readonly Request[];
  /** The sequence number of the first request; the others follow. */
  readonly first: number;
  readonly data: Uint8Array;
  /** The requests themselves say which are acknowledged. */
  readonly selective: boolean;
  readonly acknowledged: (request: Request) => boolean;
}

/** A netlink socket in some network namespace. The namespace of the process itself never changes. */
export class NetlinkSocket {
  readonly #sys: Sys;
  readonly #fd: number;
  #sequence = 0;
  #buffer = new Uint8Array();

  private constructor(sys: Sys, fd: number) {
    this.#sys = sys;
    this.#fd = fd;
  }

  /**
   * `nsFd`: a descriptor of the namespace, -1 for the process's own. `protocol`: NETLINK_ROUTE,
   * NETLINK_NETFILTER. Throws SysError.
   */
  static open({ sys }: Host, nsFd: number, protocol: number): NetlinkSocket {
    const fd = check("socket", sys.socket(nsFd, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "netlink");
    const on = new Uint8Array([1, 0, 0, 0]);
    check("setsockopt", sys.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, on), "NETLINK_EXT_ACK");
    check("setsockopt", sys.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, on), "NETLINK_CAP_ACK");
    // Without it (before Linux 4.20) dumps come unfiltered; decoders leave out what was not asked for.
    if (protocol === NETLINK_ROUTE) sys.setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, on);
    return new NetlinkSocket(sys, fd);
  }

  /**
   * Sends all requests at once and waits for their acknowledgements. Throws NetlinkError for the first
   * request that was refused.
   *
   * rtnetlink handles each request by itself: those before and after the refused one have taken place. Refusals with
   * one of the `tolerated` error numbers are none.
   *
   * Refusals are always reported; an acknowledgement is asked for only with the last request, which is handled last.
   * Requests that carry NLM_F_ACK themselves are acknowledged instead of it: so is an nfnetlink batch sent, its last
   * message before NFNL_MSG_BATCH_END carrying the flag. The kernel handles a batch as a whole: an error for any
   * message voids it, and one for its first message ends it without acknowledgements.
   */
  execute(requests: readonly Request[], ...tolerated: number[]): void {
    if (requests.length === 0) return;
    const batch = this.#prepare(requests);
    this.#sent(this.#sys.send(this.#fd, batch.data, TIMEOUT_MS), batch.requests[0]!.what);
    const refusal = this.#await(batch, tolerated);
    if (refusal) throw new NetlinkError(batch.requests[refusal.index]!.what, refusal.verdict, refusal.index);
  }

  /**
   * As `execute`, for a request that is often refused: false if it was with one of these error numbers. It saves
   * the making of an error.
   */
  attempt(request: Request, ...tolerated: number[]): boolean {
    const batch = this.#prepare([request]);
    this.#sent(this.#sys.send(this.#fd, batch.data, TIMEOUT_MS), request.what);
    const refusal = this.#await(batch);
    if (refusal && !tolerated.includes(refusal.verdict.errno))
      throw new NetlinkError(request.what, refusal.verdict);
    return refusal === undefined;
  }

  /**
   * As `execute`, with a question in the same send, which the kernel answers when it has handled the requests.
   * Undefined if there is no such object.
   */
  executeThen<T>(requests: readonly Request[], query: Query<T>): T | undefined {
    const { type, body, what } = query;
    const asked = { type, body, what, flags: NLM_F_ACK };
    // Only the question may be acknowledged, and its answer comes before that: so nothing is awaited twice.
    const batch = this.#prepare([...requests, asked]);
    this.#sent(this.#sys.send(this.#fd, batch.data, TIMEOUT_MS), requests[0]?.what ?? what);
    let answer: T | undefined;
    const refusal = this.#await(batch, [], (message) => {
      answer ??= query.decode(message.body, message.type);
    });
    if (refusal === undefined) return answer;
    const { index, verdict } = refusal;
    if (index === requests.length && NOT_THERE.includes(verdict.errno)) return undefined;
    throw new NetlinkError(batch.requests[index]!.what, verdict, index);
  }

  /** Asks for one object; undefined if there is none (ENODEV, ENOENT). Throws NetlinkError, WireError. */
  query<T>(query: Query<T>): T | undefined {
    try {
      return this.#repeat(query, 0)[0];
    } catch (error) {
      if (isNetlinkErrno(error, ...NOT_THERE)) return undefined;
      throw error;
    }
  }

  /**
   * Asks for all objects. A dump during which something changed is repeated, so the answer is one state of
   * the kernel; NetlinkError (EBUSY) if changes go on and on.
   */
  dump<T>(dump: Dump<T>): T[] {
    return this.#repeat(dump, NLM_F_DUMP);
  }

  close(): void {
    check("close", this.#sys.close(this.#fd), "netlink");
  }

  #prepare(requests: readonly Request[]): Batch {
    const selective = requests.some(({ flags }) => (flags & NLM_F_ACK) !== 0);
    const last = requests.at(-1);
    const acknowledged = (request: Request) =>
      selective ? (request.flags & NLM_F_ACK) !== 0 : request === last;
    const first = this.#sequence + 1;
    const writer = new Writer(1024);
    for (const request of requests)
      writeMessage(writer, {
        type: request.type,
        flags: request.flags | NLM_F_REQUEST | (acknowledged(request) ? NLM_F_ACK : 0),
        sequence: ++this.#sequence,
        body: request.body,
      });
    this.#makeRoom(writer.length, requests.length);
    return { requests, first, data: writer.finish(), selective, acknowledged };
  }

  /** A batch beyond the default buffers needs larger ones. If they are refused, sending or receiving says so. */
  #makeRoom(bytes: number, messages: number): void {
    const size = (option: number, value: number) =>
      this.#sys.setsockopt(this.#fd, SOL_SOCKET, option, new Writer(4).u32(value).finish());
    if (bytes > SAFE_SEND_BYTES) size(SO_SNDBUFFORCE, bytes * 2);
    if (messages > SAFE_ACKS) size(SO_RCVBUFFORCE, messages * ACK_COST);
  }

  /** Waits for all acknowledgements; gives the first refusal that is not tolerated. */
  #await(
    { requests, first, selective, acknowledged }: Batch,
    tolerated: readonly number[] = [],
    answered = (_: Message) => {},
  ): Refusal | undefined {
    let missing = requests.filter(acknowledged).length;
    let waiting = 0;
    let refusal: Refusal | undefined;
    while (missing > 0) {
      for (const message of this.#receive(ANSWER_SIZE, requests[waiting]!.what)) {
        const index = message.sequence - first;
        const request = requests[index];
        // Not ours: a late answer to what was asked earlier.
        if (!request) continue;
        if (message.type !== NLMSG_ERROR) {
          answered(message);
          continue;
        }
        const verdict = readVerdict(message);
        if (verdict.errno !== 0 && !tolerated.includes(verdict.errno)) refusal ??= { index, verdict };
        if (acknowledged(request)) missing--;
        else if (index === 0 && selective) missing = 0;
        waiting = Math.min(index + 1, requests.length - 1);
      }
    }
    return refusal;
  }

  #repeat<T>(question: Dump<T>, flags: number): T[] {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answers = this.#ask(question, flags);
      if (answers) return answers;
    }
    const text = `changed during each of ${ATTEMPTS} readings`;
    throw new NetlinkError(question.what, { errno: errno.EBUSY, text });
  }

  /** The answers; undefined if some were lost, or something changed meanwhile. */
  #ask<T>(question: Dump<T>, flags: number): T[] | undefined {
    const { type, flags: own = 0, body, what, mention, decode } = question;
    const sequence = ++this.#sequence;
    const writer = new Writer(20 + body.length);
    writeMessage(writer, { type, flags: flags | own | NLM_F_REQUEST, sequence, body });
    this.#sent(this.#sys.send(this.#fd, writer.finish(), TIMEOUT_MS), what);
    const size = flags & NLM_F_DUMP ? DUMP_SIZE : ANSWER_SIZE;
    const answers: T[] = [];
    let whole = true;
    let malformed: unknown;
    for (;;) {
      let messages: Message[] = [];
      try {
        messages = this.#receive(size, what, mention);
      } catch (error) {
        if (!isNetlinkErrno(error, errno.ENOBUFS)) throw error;
        whole = false;
      }
      for (const message of messages) {
        if (message.sequence !== sequence) continue;
        if (message.flags & NLM_F_DUMP_INTR) whole = false;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const verdict = readVerdict(message);
          if (verdict.errno !== 0) throw new NetlinkError(what, verdict);
          if (malformed) throw malformed;
          return whole ? answers : undefined;
        }
        try {
          const answer = decode(message.body, message.type);
          if (answer !== undefined) answers.push(answer);
        } catch (error) {
          if (flags === 0) throw error;
          // Read on to the end, or the kernel refuses this socket's next dump.
          malformed ??= error;
        }
        if (flags === 0) return answers;
      }
    }
  }

  /** The messages of the next datagram. The buffer is as small as the occasion allows. */
  #receive(size: number, what: string, mention?: string): Message[] {
    if (this.#buffer.length < size) this.#buffer = new Uint8Array(size);
    const length = this.#sys.recv(this.#fd, this.#buffer, TIMEOUT_MS);
    if (length < 0) throw new NetlinkError(what, { errno: -length, text: "" });
    // A copy: addresses and names in the answers are views of it.
    const datagram = this.#buffer.slice(0, length);
    return readMessages(datagram, mention !== undefined && !mentions(datagram, mention));
  }

  #sent(result: number, what: string): void {
    if (result < 0) throw new NetlinkError(what, { errno: -result, text: "" });
  }
}
