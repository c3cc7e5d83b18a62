import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSystem } from "../host/fake.ts";
import { formatTraceParent, newSpanId, newTraceId, parseTraceParent } from "./trace-context.ts";

// www.w3.org/TR/trace-context, sections 3.2 and 4.3.
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

test("a traceparent tells trace, span and whether they are recorded", () => {
  const context = { traceId: TRACE, spanId: SPAN };
  const rows: [text: string, sampled: boolean][] = [
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-fe`, false],
    [` 00-${TRACE}-${SPAN}-01\n`, true],
    // A version to come may say more.
    [`01-${TRACE}-${SPAN}-01`, true],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, true],
  ];
  for (const [text, sampled] of rows) assert.deepEqual(parseTraceParent(text), { ...context, sampled }, text);
  assert.equal(formatTraceParent(context), `00-${TRACE}-${SPAN}-01`);
});

test("what is none is none", () => {
  for (const text of [
    "",
    "x",
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01-more`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00_${TRACE}_${SPAN}_01`,
  ])
    assert.equal(parseTraceParent(text), undefined, text);
});

test("new ids are of the right length, and not the one that means none", () => {
  const system = new FakeSystem();
  let zeros = 2;
  const random = system.sys.random;
  system.sys.random = (into) => (zeros-- > 0 ? into.fill(0).length : random(into));
  assert.match(newTraceId(system.host), /^(?!0+$)[0-9a-f]{32}$/);
  assert.match(newSpanId(system.host), /^(?!0+$)[0-9a-f]{16}$/);
  assert.notEqual(newSpanId(system.host), newSpanId(system.host));
});
