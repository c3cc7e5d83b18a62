// Spans in a file, read as strictly as OTLP/JSON says they are written: opentelemetry.io/docs/specs/otlp, "JSON Protobuf
// Encoding", and opentelemetry/proto/trace/v1/trace.proto.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Json } from "./world.ts";

export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly events: readonly { readonly name: string; readonly attributes: Record<string, unknown> }[];
  /** The process that wrote it. */
  readonly pid: number;
}

export function readSpans(path: string): SeenSpan[] {
  const text = readFileSync(path, "utf8");
  assert.ok(text.endsWith("\n"));
  return text
    .split("\n")
    .slice(0, -1)
    .flatMap((line) => {
      const { resourceSpans, ...nothing } = JSON.parse(line);
      assert.deepEqual([nothing, resourceSpans.length], [{}, 1]);
      const [{ resource, scopeSpans }] = resourceSpans;
      const about = attributesOf(resource.attributes);
      assert.equal(about["service.name"], "plumb");
      assert.equal(scopeSpans.length, 1);
      assert.deepEqual(Object.keys(scopeSpans[0].scope), ["name", "version"]);
      return scopeSpans[0].spans.map((span: Json) => spanOf(span, Number(about["process.pid"])));
    });
}

function spanOf(span: Json, pid: number): SeenSpan {
  const { startTimeUnixNano, endTimeUnixNano, attributes, events, ...rest } = span;
  assert.match(rest.traceId, /^[0-9a-f]{32}$/);
  assert.match(rest.spanId, /^[0-9a-f]{16}$/);
  if ("parentSpanId" in rest) assert.match(rest.parentSpanId, /^[0-9a-f]{16}$/);
  for (const time of [startTimeUnixNano, endTimeUnixNano]) assert.match(time, /^\d{19}$/);
  assert.ok([1, 2, 3].includes(rest.kind), "an enum's number");
  const known = ["traceId", "spanId", "parentSpanId", "traceState", "name", "kind", "status"];
  assert.deepEqual(
    Object.keys(rest).filter((key) => !known.includes(key)),
    [],
  );
  return {
    ...rest,
    ...{ start: BigInt(startTimeUnixNano), end: BigInt(endTimeUnixNano), pid },
    attributes: attributesOf(attributes),
    events: events.map((event: Json) => {
      assert.match(event.timeUnixNano, /^\d{19}$/);
      return { name: event.name, attributes: attributesOf(event.attributes) };
    }),
  };
}

function attributesOf(list: Json[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    list.map(({ key, value, ...nothing }) => {
      assert.deepEqual(nothing, {});
      const [[kind, content], ...more] = Object.entries(value) as [[string, Json], ...unknown[]];
      assert.deepEqual(more, []);
      const types: Record<string, string> = {
        stringValue: "string",
        intValue: "string",
        boolValue: "boolean",
        doubleValue: "number",
      };
      assert.equal(typeof content, types[kind]);
      return [key, kind === "intValue" ? Number(content) : content];
    }),
  );
}

/** The one span of that name and kind. */
export function spanNamed(spans: readonly SeenSpan[], name: string, kind?: number): SeenSpan {
  const found = spans.filter((span) => span.name === name && (kind === undefined || span.kind === kind));
  assert.equal(found.length, 1, `${name}: ${spans.map((span) => `${span.name}/${span.kind}`).join(", ")}`);
  return found[0]!;
}

/** Names from a span up to the root, outermost first. */
export function pathTo(spans: readonly SeenSpan[], span: SeenSpan): string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return [...(parent ? pathTo(spans, parent) : []), span.name];
}

/** What must hold of any set of spans of one trace: children lie within their parents. */
export function isOneTree(spans: readonly SeenSpan[]): void {
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1, "one trace");
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length, "ids of their own");
  const roots = spans.filter(({ parentSpanId }) => !spans.some(({ spanId }) => spanId === parentSpanId));
  assert.deepEqual(roots.length, 1, roots.map(({ name }) => name).join());
  for (const span of spans) {
    assert.ok(span.start <= span.end, span.name);
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
    if (parent)
      assert.ok(parent.start <= span.start && span.end <= parent.end, `${span.name} in ${parent.name}`);
  }
}
