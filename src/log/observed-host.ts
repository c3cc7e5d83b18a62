import { Host, type RunOptions, type RunResult } from "../host/host.ts";
import type { Sys } from "../host/sys.ts";
import type { Journal } from "./journal.ts";
import { duration } from "./logfmt.ts";
import { netlinkSpanName } from "./netlink-name.ts";
import { SpanKind } from "./otlp.ts";
import { type Tracer, withTraceContext } from "./tracer.ts";

const AF_NETLINK = 16;

/**
 * A host that tells what passes through it: programs that are run to the log and the trace; waits for locks and what the
 * kernel is told by netlink, to the trace.
 */
export class ObservedHost extends Host {
  /** All that was written to stdout. */
  printed = "";
  readonly #journal: Journal;
  readonly #tracer: Tracer | undefined;

  constructor(host: Host, journal: Journal, tracer: Tracer | undefined) {
    super(tracer ? tracedCalls(host.sys, tracer) : host.sys);
    this.#journal = journal;
    this.#tracer = tracer;
  }

  override run(path: string, options: RunOptions): RunResult {
    const tracer = this.#tracer;
    const span = tracer?.begin(`run ${path.slice(path.lastIndexOf("/") + 1)}`, SpanKind.Client, {
      "process.executable.path": path,
    });
    const env = tracer && span ? withTraceContext(options.env, tracer.contextOf(span)) : options.env;
    const startNs = this.clock(1);
    const command = options.argv.join(" ");
    let end = "";
    try {
      const result = super.run(path, { ...options, env });
      const { exitCode, signal, stderr } = result;
      end = signal === 0 ? `exit code ${exitCode}` : `signal ${signal}`;
      if (tracer && span)
        tracer.finish(
          span,
          { "process.exit.code": exitCode },
          exitCode === 0 ? undefined : { message: end, details: stderr.trim() },
        );
      return result;
    } catch (error) {
      end = error instanceof Error ? error.message : `${error}`;
      if (tracer && span) tracer.finish(span, {}, { message: end, details: "" });
      throw error;
    } finally {
      const took = duration(this.clock(1) - startNs);
      this.#journal.log(
        "debug",
        "ran a program",
        { program: path, argv: command, end, duration: took },
        `ran ${command}: ${end}, ${took}`,
      );
    }
  }

  override stdout(text: string): void {
    this.printed += text;
    super.stdout(text);
  }
}

/** The calls that may take time, with a span each. */
function tracedCalls(sys: Sys, tracer: Tracer): Sys {
  const protocols = new Map<number, number>();
  /** The last message to the kernel; its answer may still come. */
  let asked: { fd: number; end(): void } | undefined;
  return {
    ...sys,
    socket(nsFd, domain, type, protocol) {
      const fd = sys.socket(nsFd, domain, type, protocol);
      if (fd >= 0 && domain === AF_NETLINK) protocols.set(fd, protocol);
      else protocols.delete(fd);
      return fd;
    },
    send(fd, data, timeoutMs) {
      const protocol = protocols.get(fd);
      if (protocol === undefined) return sys.send(fd, data, timeoutMs);
      const span = tracer.begin(netlinkSpanName(protocol, data), SpanKind.Internal);
      const result = sys.send(fd, data, timeoutMs);
      tracer.finish(span, { "netlink.bytes": data.length });
      asked = { fd, end: () => tracer.finish(span) };
      return result;
    },
    recv(fd, into, timeoutMs) {
      const result = sys.recv(fd, into, timeoutMs);
      if (asked?.fd === fd) asked.end();
      return result;
    },
    poll(fds, timeoutMs) {
      if (timeoutMs <= 0) return sys.poll(fds, timeoutMs);
      const span = tracer.begin("wait", SpanKind.Internal);
      const result = sys.poll(fds, timeoutMs);
      tracer.finish(span);
      return result;
    },
    flock(fd, operation, timeoutMs) {
      const span = tracer.begin("wait for a lock", SpanKind.Internal);
      const result = sys.flock(fd, operation, timeoutMs);
      tracer.finish(span);
      return result;
    },
  };
}
