import { Host } from "../host/host.ts";
import { appendLine } from "../log/append.ts";
import { sayOnStderr } from "../log/one-line.ts";
import { SpanKind } from "../log/otlp.ts";
import { settingsOfEnvironment } from "../log/settings.ts";
import { Tracer, traceContextOf, withTraceContext } from "../log/tracer.ts";
import { asCniError } from "../runtime/failure.ts";
import { EXIT_FAILURE, EXIT_USAGE, UsageError } from "./arguments.ts";

/** Does the work of a subcommand, with a span for it if the environment wants one. All that it calls is inside of it. */
export async function traced(
  host: Host,
  name: string,
  work: (host: Host) => Promise<number>,
): Promise<number> {
  const { traceFile } = settingsOfEnvironment(host, (problem) => sayOnStderr(host, `plumb: ${problem}`));
  const tracer = traceFile === undefined ? undefined : Tracer.open(host, traceContextOf(host));
  if (traceFile === undefined || tracer === undefined) return work(host);
  const span = tracer.begin(`plumb ${name}`, SpanKind.Internal);
  const write = (code: number, failure?: { message: string; details: string }) => {
    tracer.finish(span, { "process.exit.code": code }, failure);
    const problem = appendLine(host, traceFile, tracer.line({ "process.pid": host.sys.getpid() }));
    if (problem !== undefined) sayOnStderr(host, `plumb: spans cannot be written: ${problem}`);
  };
  try {
    const code = await work(new HostInTrace(host, tracer.contextOf(span)));
    write(code, code === 0 ? undefined : { message: `exit code ${code}`, details: "" });
    return code;
  } catch (error) {
    write(error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE, asCniError(error));
    throw error;
  }
}

/** A host whose environment has another trace context. */
class HostInTrace extends Host {
  readonly #context: { readonly traceparent: string; readonly tracestate: string | undefined };

  constructor({ sys }: Host, context: { traceparent: string; tracestate: string | undefined }) {
    super(sys);
    this.#context = context;
  }

  override variable(name: string): string | undefined {
    if (name === "TRACEPARENT") return this.#context.traceparent;
    return name === "TRACESTATE" ? this.#context.tracestate : super.variable(name);
  }

  override environment(): string[] {
    return withTraceContext(super.environment(), this.#context);
  }
}
