import { errno } from "../host/errno.ts";
import type { Host } from "../host/host.ts";
import type { CniError } from "../spec/errors.ts";
import type { Outcome } from "./attachment.ts";
import type { Attachments } from "./attachments.ts";
import { malformed, readCall } from "./call.ts";
import { asCniError } from "./failure.ts";
import type { Scheduler, Timer, Watch } from "./loop.ts";
import type { Answer } from "./protocol.ts";

/** A request is a few hundred bytes, with many options a few thousand; GC's list grows with the containers. */
const LONGEST_LINE = 1 << 20;
const PIECE = 4096;
const NEWLINE = 0x0a;
/** For how long a plugin may take to send its line, and to take the answer. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 5;

/** What the reference's plugin says first (Go's net/rpc over HTTP), and what it shows its caller when it is refused. */
const HTTP_REQUEST = "CONNECT ";
const HTTP_REFUSAL =
  "HTTP/1.0 400 this is the DHCP daemon of plumb: the plugin dhcp must be that of plumb too\r\n\r\n";

/** What connections work with. */
export interface Office {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly attachments: Attachments;
  /** A connection was closed. */
  left(): void;
}

/** A plugin's connection: its request comes, is worked on, is answered; then it is closed. */
export class Connection {
  readonly #office: Office;
  readonly #fd: number;
  readonly #watch: Watch;
  #timer: Timer;
  /** Of the line, what has come so far; undefined when it is complete. */
  #input: Uint8Array | undefined = new Uint8Array();
  /** Of the answer, what is still to be sent. */
  #output: Uint8Array | undefined;
  /** Says that the plugin does not wait any more. */
  #leave: (() => void) | undefined;
  #open = true;

  constructor(office: Office, fd: number) {
    this.#office = office;
    this.#fd = fd;
    this.#watch = office.scheduler.watch(fd, () => this.#read());
    this.#timer = office.scheduler.after(PATIENCE_MS, () => this.#close());
  }

  #read(): void {
    const { host } = this.#office;
    const piece = new Uint8Array(PIECE);
    const length = host.sys.read(this.#fd, piece, 0);
    if (length === -errno.ETIMEDOUT) return;
    if (length <= 0) this.#close();
    // Behind its line, a plugin has nothing to say.
    else if (this.#input !== undefined) this.#take(piece.subarray(0, length));
  }

  #take(piece: Uint8Array): void {
    const input = new Uint8Array(this.#input!.length + piece.length);
    input.set(this.#input!);
    input.set(piece, this.#input!.length);
    this.#input = input;
    const end = input.indexOf(NEWLINE);
    if (end < 0 && input.length < LONGEST_LINE) return;
    this.#input = undefined;
    if (end < 0) this.#fail(malformed(`it is longer than ${LONGEST_LINE} bytes`));
    else this.#serve(this.#office.host.decode(input.subarray(0, end)));
  }

  #serve(line: string): void {
    if (line.startsWith(HTTP_REQUEST)) {
      this.#send(HTTP_REFUSAL);
      return;
    }
    try {
      const call = readCall(line);
      const { attachments } = this.#office;
      switch (call.command) {
        case "ADD": {
          // It may take as long as it takes.
          this.#timer.cancel();
          const leave = attachments.add(call, (outcome) => this.#reply(outcome));
          if (this.#open && this.#output === undefined) this.#leave = leave;
          return;
        }
        case "CHECK":
          this.#answer({ result: attachments.check(call) });
          return;
        case "DEL":
          attachments.delete(call);
          break;
        case "GC":
          attachments.collect(call);
          break;
        case "LIST":
          this.#answer({ result: attachments.list() });
          return;
        case "STATUS":
      }
      this.#answer({ result: {} });
    } catch (error) {
      this.#fail(asCniError(error));
    }
  }

  #reply(outcome: Outcome): boolean {
    this.#leave = undefined;
    return "result" in outcome ? this.#answer(outcome) : this.#fail(outcome.error);
  }

  #fail({ code, message, details }: CniError): boolean {
    return this.#answer({ error: { code, msg: message, ...(details !== "" && { details }) } });
  }

  #answer(answer: Answer): boolean {
    return this.#send(`${JSON.stringify(answer)}\n`);
  }

  /** Sends all, then closes. False if nobody is there any more. */
  #send(text: string): boolean {
    if (!this.#open) return false;
    this.#output = this.#office.host.encode(text);
    this.#timer.cancel();
    this.#timer = this.#office.scheduler.after(PATIENCE_MS, () => this.#close());
    return this.#flush();
  }

  #flush(): boolean {
    if (!this.#open || this.#output === undefined) return false;
    const sent = this.#office.host.sys.send(this.#fd, this.#output, 0);
    if (sent > 0) this.#output = this.#output.subarray(sent);
    if (this.#output.length === 0 || (sent < 0 && sent !== -errno.ETIMEDOUT)) this.#close();
    // More than the socket's buffer takes at once: a long list.
    else this.#office.scheduler.after(PAUSE_MS, () => this.#flush());
    return sent >= 0;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.stop();
    this.#timer.cancel();
    this.#office.host.close(this.#fd);
    const leave = this.#leave;
    this.#leave = undefined;
    this.#office.left();
    leave?.();
  }
}
