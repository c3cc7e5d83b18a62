import { errno } from "../host/errno.ts";
import { CLOCK_MONOTONIC, check, type Host, isErrno, SysError } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, type JsonObject, member, show } from "../spec/json.ts";
import type { Call } from "./protocol.ts";
import { openUnixSocket, PATH_LENGTH, unixAddress } from "./unix-socket.ts";

/** How the daemon is called: see protocol.ts. */

const CONNECT_TIMEOUT_MS = 30_000;
/** No call of poll(2) can wait for longer than some weeks, and none needs to. */
const LONGEST_WAIT_MS = 60_000;
/** A result has some hundred bytes; a list of all attachments some megabytes at the most. */
const ANSWER_LIMIT = 64 << 20;

const NOBODY =
  "Nobody listens there. Start it: systemctl start cni-dhcp.socket, or plumb dhcp daemon; or correct its path.";

/** There is no daemon of ours behind the socket: nobody, one that has just ended, or another program. */
export class NoDaemonError extends CniError {
  /** It is another program, such as the daemon of the reference plugins. */
  readonly foreign: boolean;

  constructor(msg: string, details: string, foreign = false, cause?: unknown) {
    super(ErrorCode.TryAgainLater, msg, details, { cause });
    this.name = "NoDaemonError";
    this.foreign = foreign;
  }
}

/**
 * Gives the result of the daemon's answer, which is awaited for `limitMs`, Infinity for as long as it takes. Throws the
 * daemon's error as it is; NoDaemonError; code 11 if it does not answer in time, 5 if the socket cannot be used.
 */
export function callDaemon(host: Host, socketPath: string, call: Call, limitMs: number): JsonObject {
  const fd = connect(host, socketPath);
  try {
    send(host, fd, `${JSON.stringify(call)}\n`, socketPath);
    return readAnswer(receive(host, fd, socketPath, limitMs), socketPath);
  } finally {
    host.close(fd);
  }
}

function connect(host: Host, socketPath: string): number {
  const address = unixAddress(host, socketPath);
  if (address === undefined)
    throw new CniError(
      ErrorCode.InvalidConfig,
      `error dialing DHCP daemon: invalid path ${show(socketPath)}`,
      `It has ${PATH_LENGTH} bytes at the most, and no NUL.`,
    );
  const fd = openUnixSocket(host);
  try {
    check("connect", host.sys.connect(fd, address, CONNECT_TIMEOUT_MS), socketPath);
    return fd;
  } catch (error) {
    host.close(fd);
    throw error instanceof SysError ? notReached(error) : error;
  }
}

function notReached(error: SysError): CniError {
  const msg = `error dialing DHCP daemon: ${error.message}`;
  if (isErrno(error, errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED))
    return new NoDaemonError(msg, NOBODY, false, error);
  if (isErrno(error, errno.ETIMEDOUT))
    return new CniError(ErrorCode.TryAgainLater, msg, "Too many wait for it already.", { cause: error });
  return new CniError(ErrorCode.Io, msg, "It lets in root alone.", { cause: error });
}

/** Who has hung up already may have left an answer. */
function send(host: Host, fd: number, text: string, socketPath: string): void {
  try {
    host.write(fd, host.encode(text), socketPath);
  } catch (error) {
    if (!isErrno(error, errno.EPIPE, errno.ECONNRESET)) throw error;
  }
}

/** All that comes until the daemon hangs up. */
function receive(host: Host, fd: number, socketPath: string, limitMs: number): string {
  const deadline = host.clock(CLOCK_MONOTONIC) / 1e6 + limitMs;
  for (;;) {
    const left = Math.ceil(deadline - host.clock(CLOCK_MONOTONIC) / 1e6);
    if (left <= 0) throw noAnswer(socketPath, limitMs);
    if (!isReadable(host, fd, Math.min(left, LONGEST_WAIT_MS))) continue;
    const bytes = host.sys.readall(fd, ANSWER_LIMIT, Math.min(left, LONGEST_WAIT_MS));
    if (bytes === -errno.ECONNRESET) return "";
    if (bytes === -errno.ETIMEDOUT) throw noAnswer(socketPath, limitMs);
    return host.decode(check("read", bytes, socketPath));
  }
}

function isReadable(host: Host, fd: number, waitMs: number): boolean {
  // struct pollfd (poll.h): s32 fd, s16 events, s16 revents.
  const pollfd = new DataView(new ArrayBuffer(8));
  pollfd.setInt32(0, fd, true);
  pollfd.setInt16(4, 1, true);
  return check("poll", host.sys.poll(new Uint8Array(pollfd.buffer), waitMs)) > 0;
}

function noAnswer(socketPath: string, limitMs: number): CniError {
  return new CniError(
    ErrorCode.TryAgainLater,
    `the DHCP daemon did not answer within ${limitMs / 1000} s`,
    `It listens at ${socketPath}, but is stopped, or has too much to do.`,
  );
}

/** Throws the error that the daemon answers with. */
function readAnswer(text: string, socketPath: string): JsonObject {
  const answer = parse(text);
  const [result, error] = answer ? [member(answer, "result"), member(answer, "error")] : [];
  if (isObject(result)) return result;
  const [code, msg] = isObject(error) ? [error["code"], error["msg"]] : [];
  if (isObject(error) && typeof code === "number" && typeof msg === "string")
    throw new CniError(code, msg, String(error["details"] ?? ""));
  // Half an object is what one that was killed has left; the reference's says, without an end, that this is no HTTP.
  if (text === "" || (text.startsWith("{") && !text.endsWith("\n")))
    throw new NoDaemonError("the DHCP daemon ended before it had answered", `It listened at ${socketPath}.`);
  throw new NoDaemonError(
    `error dialing DHCP daemon: ${socketPath} belongs to another program`,
    `It says ${show(text)}. Stop it, and start plumb's dhcp daemon, or name another socket as ipam.daemonSocketPath.`,
    true,
  );
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
