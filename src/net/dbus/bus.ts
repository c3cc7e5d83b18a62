import { errno } from "../../host/errno.ts";
import { CLOCK_MONOTONIC, check, type Host, SysError } from "../../host/host.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import {
  DBusWireError,
  decodeMessage,
  ERROR,
  encodeMessage,
  FIXED_HEADER,
  METHOD_CALL,
  METHOD_RETURN,
  type Message,
  messageLength,
  type Value,
} from "./wire.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;

/** Where the system's bus is unless DBUS_SYSTEM_BUS_ADDRESS says otherwise (D-Bus specification, "System message bus"). */
const SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket";
/** What libdbus waits for a reply by default. */
const TIMEOUT_MS = 25_000;
/** Far more than anybody answers here; the bus itself would pass on 128 MB. */
const MESSAGE_LIMIT = 1 << 20;
const LINE_LIMIT = 1024;

const BUS = "org.freedesktop.DBus";

/** An object on the bus and the interface of it that is meant. */
export interface Target {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
}

/** The bus itself. */
export const MESSAGE_BUS: Target = {
  destination: BUS,
  path: "/org/freedesktop/DBus",
  interface: BUS,
};

/** An error that came as reply to a call. */
export class DBusError extends CniError {
  /** As `org.freedesktop.DBus.Error.NameHasNoOwner`. */
  readonly errorName: string;

  constructor(what: string, errorName: string, text: string) {
    super(ErrorCode.Plugin, `${what}: ${text || errorName}`, text && `D-Bus error ${errorName}.`);
    this.name = "DBusError";
    this.errorName = errorName;
  }
}

/** The bus cannot be reached, or does not let us in. */
export class NoBusError extends CniError {
  constructor(problem: string, cause?: unknown) {
    const details = "Is dbus-daemon running, and DBUS_SYSTEM_BUS_ADDRESS right if it is set?";
    super(ErrorCode.Plugin, `the system's D-Bus cannot be used: ${problem}`, details, { cause });
    this.name = "NoBusError";
  }
}

/** A connection to the system's message bus. */
export class DBus {
  readonly #host: Host;
  readonly #fd: number;
  readonly #timeoutMs: number;
  #serial = 0;
  /** What came and was not read yet. */
  #buffer = new Uint8Array();

  private constructor(host: Host, fd: number, timeoutMs: number) {
    this.#host = host;
    this.#fd = fd;
    this.#timeoutMs = timeoutMs;
  }

  /** Connects, authenticates and says hello. `timeoutMs` holds for this and for each call. NoBusError. */
  static open(host: Host, timeoutMs = TIMEOUT_MS): DBus {
    const bus = new DBus(host, connectToAny(host, timeoutMs), timeoutMs);
    try {
      bus.#authenticate();
      bus.call(MESSAGE_BUS, "Hello");
      return bus;
    } catch (error) {
      bus.close();
      // On a bus that is full, or that this user may not use.
      throw error instanceof DBusError ? new NoBusError(error.message, error) : error;
    }
  }

  /** Calls a method and waits for its reply. DBusError for an error reply, code 11 if none comes in time. */
  call(target: Target, member: string, signature = "", ...body: Value[]): readonly Value[] {
    const what = `${target.interface}.${member}`;
    const deadline = this.#deadline();
    const serial = this.send({ type: METHOD_CALL, ...target, member, signature, body });
    for (;;) {
      const reply = this.receive(deadline);
      if (reply === undefined) throw noAnswer(what, this.#timeoutMs);
      // Signals come between, such as NameAcquired.
      if (reply.replySerial !== serial) continue;
      if (reply.type === METHOD_RETURN) return reply.body ?? [];
      if (reply.type === ERROR) throw new DBusError(what, reply.errorName ?? "", `${reply.body?.[0] ?? ""}`);
    }
  }

  /** Sends a message, and gives the serial number that it got. */
  send(message: Omit<Message, "serial">): number {
    const serial = ++this.#serial;
    this.#host.write(this.#fd, this.#encode({ ...message, serial }), "D-Bus");
    return serial;
  }

  /** The next message; undefined if none comes until `deadline` (CLOCK_MONOTONIC, ns). */
  receive(deadline = this.#deadline()): Message | undefined {
    try {
      if (!this.#fill(FIXED_HEADER, deadline)) return undefined;
      const length = messageLength(this.#host, this.#buffer.subarray(0, FIXED_HEADER));
      if (length > MESSAGE_LIMIT) throw new DBusWireError(`a message of ${length} bytes`);
      if (!this.#fill(length, deadline)) return undefined;
      return decodeMessage(this.#host, this.#consume(length));
    } catch (error) {
      if (error instanceof DBusWireError) throw broken(error.message);
      throw error;
    }
  }

  close(): void {
    this.#host.close(this.#fd);
  }

  /**
   * SASL EXTERNAL with no name, as the other end knows who we are by the socket ("Authentication Protocol"). All is said
   * in one go, without waiting for the answers between.
   */
  #authenticate(): void {
    const deadline = this.#deadline();
    this.#host.write(this.#fd, this.#host.encode("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"), "D-Bus");
    for (const wanted of ["DATA", "OK"]) {
      const line = this.#line(deadline);
      if (line.split(" ")[0] !== wanted) throw new NoBusError(`it refuses to authenticate us: ${line}`);
    }
  }

  #line(deadline: number): string {
    for (let length = 1; length < LINE_LIMIT; length++) {
      if (!this.#fill(length, deadline)) throw noAnswer("authentication", this.#timeoutMs);
      if (this.#buffer[length - 1] === 0x0a) return this.#host.decode(this.#consume(length)).trim();
    }
    throw broken("a line without end");
  }

  #encode(message: Message): Uint8Array {
    try {
      return encodeMessage(this.#host, message);
    } catch (error) {
      if (error instanceof DBusWireError) throw new CniError(ErrorCode.InvalidConfig, error.message);
      throw error;
    }
  }

  /** Reads until the buffer has this many bytes. False if the time is over before. */
  #fill(length: number, deadline: number): boolean {
    while (this.#buffer.length < length) {
      const piece = new Uint8Array(4096);
      const leftMs = Math.ceil((deadline - this.#host.clock(CLOCK_MONOTONIC)) / 1e6);
      const count = this.#host.sys.read(this.#fd, piece, Math.max(0, leftMs));
      if (count === -errno.ETIMEDOUT) return false;
      if (check("read", count, "D-Bus") === 0) throw broken("it closed the connection");
      const longer = new Uint8Array(this.#buffer.length + count);
      longer.set(this.#buffer);
      longer.set(piece.subarray(0, count), this.#buffer.length);
      this.#buffer = longer;
    }
    return true;
  }

  #consume(length: number): Uint8Array {
    const bytes = this.#buffer.slice(0, length);
    this.#buffer = this.#buffer.slice(length);
    return bytes;
  }

  #deadline(): number {
    return this.#host.clock(CLOCK_MONOTONIC) + this.#timeoutMs * 1e6;
  }
}

/** Connects to the first of the addresses that answers; NoBusError tells what is wrong with the last. */
function connectToAny(host: Host, timeoutMs: number): number {
  const addresses = host.variable("DBUS_SYSTEM_BUS_ADDRESS") || SYSTEM_BUS;
  let problem = new NoBusError(`no address in ${JSON.stringify(addresses)} is of a unix socket`);
  for (const socket of unixSockets(addresses)) {
    try {
      return connect(host, socket, timeoutMs);
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      problem = new NoBusError(error.message, error);
    }
  }
  throw problem;
}

function connect(host: Host, socket: string, timeoutMs: number): number {
  const fd = check("socket", host.sys.socket(-1, AF_UNIX, SOCK_STREAM, 0), "unix");
  const result = host.sys.connect(fd, socketAddress(host, socket), timeoutMs);
  if (result < 0) host.close(fd);
  check("connect", result, socket);
  return fd;
}

/** struct sockaddr_un. The abstract names of Linux begin with a NUL, written @, and end where the address does. */
function socketAddress(host: Host, socket: string): Uint8Array {
  const abstract = socket.startsWith("@");
  const name = host.encode(abstract ? `\0${socket.slice(1)}` : `${socket}\0`);
  return Uint8Array.from([AF_UNIX, 0, ...name]);
}

/** The unix sockets of a list of addresses, `unix:path=/run/x;unix:abstract=y` ("Server Addresses"); others are left out. */
export function unixSockets(addresses: string): string[] {
  return addresses.split(";").flatMap((address) => {
    const found = /^unix:(?:.*,)?(path|abstract)=([^,]*)/.exec(address);
    if (found === null) return [];
    const value = unescaped(found[2]!);
    if (value === undefined) return [];
    return [found[1] === "abstract" ? `@${value}` : value];
  });
}

/** Undefined for what is not UTF-8. */
function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function noAnswer(what: string, timeoutMs: number): CniError {
  return new CniError(
    ErrorCode.TryAgainLater,
    `no answer over D-Bus within ${timeoutMs / 1000} s`,
    `It was waited for ${what}.`,
  );
}

function broken(problem: string): CniError {
  return new CniError(ErrorCode.Plugin, `the connection to D-Bus broke: ${problem}`);
}
