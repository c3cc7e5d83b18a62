import type { Host } from "../host/host.ts";

/** Where a span belongs: W3C Trace Context (www.w3.org/TR/trace-context), ids in hexadecimal digits. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
}

/** What a `traceparent` says. */
export interface TraceParent extends SpanContext {
  /** False if whoever began the trace does not record it. */
  readonly sampled: boolean;
}

/** Undefined if it is none: then a trace begins here (section 4.3). Later versions may say more behind the flags. */
export function parseTraceParent(text: string): TraceParent | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text.trim());
  if (match === null) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = match;
  const isNone = /^0+$/.test(traceId) || /^0+$/.test(spanId);
  if (isNone || version === "ff" || (version === "00" && more !== undefined)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Of a span that is recorded. */
export function formatTraceParent({ traceId, spanId }: SpanContext): string {
  return `00-${traceId}-${spanId}-01`;
}

export function newTraceId(host: Host): string {
  return randomId(host, 16);
}

export function newSpanId(host: Host): string {
  return randomId(host, 8);
}

/** Zeros alone mean that there is none. */
function randomId(host: Host, bytes: number): string {
  const id = Array.from(host.random(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return /^0+$/.test(id) ? randomId(host, bytes) : id;
}
