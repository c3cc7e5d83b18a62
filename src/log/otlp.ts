import type { SpanContext } from "./trace-context.ts";
import { PLUMB_VERSION } from "./version.ts";

/** opentelemetry/proto/trace/v1/trace.proto, enum SpanKind. */
export const SpanKind = { Internal: 1, Server: 2, Client: 3 } as const;

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A piece of work: when it was done, what for, and what came of it. */
export interface Span extends SpanContext {
  readonly name: string;
  readonly kind: (typeof SpanKind)[keyof typeof SpanKind];
  readonly parentSpanId?: string | undefined;
  readonly traceState?: string | undefined;
  /** Nanoseconds since the epoch. */
  readonly startNs: number;
  endNs: number;
  attributes: Attributes;
  /** Of work that failed. */
  failure?: { readonly message: string; readonly details: string; readonly timeNs: number } | undefined;
}

const STATUS_ERROR = 2;

/**
 * Spans as OpenTelemetry's file exporter writes them: a JSON object on a line (opentelemetry.io/docs/specs/otel/protocol/
 * file-exporter), in the encoding of OTLP/JSON: ids in hexadecimal digits, 64-bit numbers as texts, enums as numbers.
 */
export function otlpLine(spans: readonly Span[], resource: Attributes): string {
  const scope = { name: "plumb", version: PLUMB_VERSION };
  const attributes = attributeList({
    "service.name": "plumb",
    "service.version": PLUMB_VERSION,
    ...resource,
  });
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope, spans: spans.map(spanJson) }] }],
  });
}

function spanJson(span: Span): object {
  const { traceId, spanId, parentSpanId, traceState, name, kind, startNs, endNs, attributes, failure } = span;
  return {
    traceId,
    spanId,
    ...(parentSpanId && { parentSpanId }),
    ...(traceState && { traceState }),
    name,
    kind,
    startTimeUnixNano: `${startNs}`,
    endTimeUnixNano: `${endNs}`,
    attributes: attributeList(attributes),
    events: failure ? [exceptionEvent(failure)] : [],
    status: failure ? { code: STATUS_ERROR, message: failure.message } : {},
  };
}

/** OpenTelemetry's semantic conventions, "Exceptions". */
function exceptionEvent({ message, details, timeNs }: NonNullable<Span["failure"]>): object {
  const attributes = attributeList({
    "exception.message": message,
    "cni.error.details": details || undefined,
  });
  return { timeUnixNano: `${timeNs}`, name: "exception", attributes };
}

function attributeList(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }],
  );
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: `${value}` } : { doubleValue: value };
}
