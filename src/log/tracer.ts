import { CLOCK_REALTIME, type Host } from "../host/host.ts";
import { type Attributes, otlpLine, type Span } from "./otlp.ts";
import { formatTraceParent, newSpanId, newTraceId, parseTraceParent } from "./trace-context.ts";

/** W3C trace context as the variables TRACEPARENT, TRACESTATE and BAGGAGE carry it. */
export interface TraceContext {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly baggage?: string | undefined;
}

/** What the environment says of the trace that a process belongs to. */
export function traceContextOf(host: Host): TraceContext {
  const [traceparent, tracestate] = [host.variable("TRACEPARENT"), host.variable("TRACESTATE")];
  return { traceparent, tracestate, baggage: host.variable("BAGGAGE") };
}

/** Collects the spans of one process's work. Spans nest: a new one's parent is the last that has not ended. */
export class Tracer {
  readonly traceId: string;
  /** Absent where a trace begins here: its makers' words are not ours to pass on. */
  readonly #traceState: string | undefined;
  readonly #host: Host;
  readonly #spans: Span[] = [];
  /** Of the parents, the one in whose work we are last. */
  readonly #parents: string[] = [];

  private constructor(
    host: Host,
    traceId: string,
    parent: string | undefined,
    traceState: string | undefined,
  ) {
    this.#host = host;
    this.traceId = traceId;
    this.#traceState = traceState || undefined;
    if (parent !== undefined) this.#parents.push(parent);
  }

  /** Goes on with a trace, or begins one. Undefined if the trace is not recorded. */
  static open(host: Host, { traceparent = "", tracestate }: TraceContext): Tracer | undefined {
    const parent = parseTraceParent(traceparent);
    if (parent === undefined) return new Tracer(host, newTraceId(host), undefined, undefined);
    return parent.sampled ? new Tracer(host, parent.traceId, parent.spanId, tracestate) : undefined;
  }

  now(): number {
    return this.#host.clock(CLOCK_REALTIME);
  }

  /** A span that has begun, inside of the last one that was entered. It counts once `finish` was called, or at the end. */
  begin(name: string, kind: Span["kind"], attributes: Attributes = {}): Span {
    const startNs = this.now();
    const parentSpanId = this.#parents.at(-1);
    const ids = { traceId: this.traceId, spanId: newSpanId(this.#host), parentSpanId };
    const span: Span = {
      ...ids,
      traceState: this.#traceState,
      name,
      kind,
      startNs,
      endNs: startNs,
      attributes,
    };
    this.#spans.push(span);
    return span;
  }

  finish(span: Span, attributes: Attributes = {}, failure?: { message: string; details: string }): void {
    span.endNs = this.now();
    span.attributes = { ...span.attributes, ...attributes };
    if (failure === undefined) return;
    // An error's message is not among what is spread.
    const { message, details } = failure;
    span.failure = { message, details, timeNs: span.endNs };
  }

  /** From here on spans are children of this one. */
  enter(span: Span): void {
    this.#parents.push(span.spanId);
  }

  leave(): void {
    this.#parents.pop();
  }

  /** What a child process is told. */
  contextOf(span: Span): { traceparent: string; tracestate: string | undefined } {
    return { traceparent: formatTraceParent(span), tracestate: this.#traceState };
  }

  /** All spans as a line of a trace file, without its end. */
  line(resource: Attributes): string {
    return otlpLine(this.#spans, resource);
  }
}

/** An environment with a trace context in place of its own. */
export function withTraceContext(
  environment: readonly string[],
  { traceparent, tracestate }: Pick<TraceContext, "traceparent" | "tracestate">,
): string[] {
  const others = environment.filter((entry) => !/^TRACE(PARENT|STATE)=/.test(entry));
  if (traceparent !== undefined) others.push(`TRACEPARENT=${traceparent}`);
  if (tracestate !== undefined) others.push(`TRACESTATE=${tracestate}`);
  return others;
}
