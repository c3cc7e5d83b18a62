import assert from "node:assert/strict";
import { test } from "node:test";
import { otlpLine, type Span, SpanKind } from "./otlp.ts";
import { PLUMB_VERSION } from "./version.ts";

const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const times = { startNs: 1_700_000_000_000_000_000, endNs: 1_700_000_000_003_200_000 };
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

test("spans are a line of OTLP/JSON", () => {
  const plain: Span = { ...ids, ...times, name: "bridge ADD", kind: SpanKind.Server, attributes: {} };
  const failed: Span = {
    ...plain,
    ...{
      spanId: "00f067aa0ba902b7",
      parentSpanId: ids.spanId,
      traceState: "vendor=1",
      kind: SpanKind.Client,
    },
    attributes: {
      "cni.command": "ADD",
      "process.exit.code": 1,
      ratio: 0.5,
      ours: true,
      "cni.ifname": undefined,
    },
    failure: { message: "no", details: "", timeNs: times.endNs },
  };
  const line = otlpLine([plain, failed], { "process.pid": 7 });
  assert.doesNotMatch(line, /\n/);
  const common = { ...ids, name: "bridge ADD" };
  const written = { startTimeUnixNano: "1700000000000000000", endTimeUnixNano: "1700000000003200000" };
  assert.deepEqual(JSON.parse(line), {
    resourceSpans: [
      {
        resource: {
          attributes: [
            text("service.name", "plumb"),
            text("service.version", PLUMB_VERSION),
            { key: "process.pid", value: { intValue: "7" } },
          ],
        },
        scopeSpans: [
          {
            scope: { name: "plumb", version: PLUMB_VERSION },
            spans: [
              { ...common, ...written, kind: 2, attributes: [], events: [], status: {} },
              {
                ...{
                  ...common,
                  spanId: "00f067aa0ba902b7",
                  parentSpanId: ids.spanId,
                  traceState: "vendor=1",
                },
                ...{ ...written, kind: 3 },
                attributes: [
                  text("cni.command", "ADD"),
                  { key: "process.exit.code", value: { intValue: "1" } },
                  { key: "ratio", value: { doubleValue: 0.5 } },
                  { key: "ours", value: { boolValue: true } },
                ],
                events: [
                  {
                    timeUnixNano: "1700000000003200000",
                    name: "exception",
                    attributes: [text("exception.message", "no")],
                  },
                ],
                status: { code: 2, message: "no" },
              },
            ],
          },
        ],
      },
    ],
  });
});
