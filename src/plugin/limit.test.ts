import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSystem } from "../host/fake.ts";
import { waitLimit } from "./limit.ts";

function limitIn(...env: string[]): number {
  const system = new FakeSystem();
  system.env = env;
  return waitLimit(system.host, 7000);
}

test("the environment's limit goes before the usual one", () => {
  assert.equal(limitIn(), 7000);
  assert.equal(limitIn("PLUMB_TIMEOUT_MS="), 7000);
  assert.equal(limitIn("PLUMB_TIMEOUT_MS=250"), 250);
  assert.equal(limitIn("PLUMB_TIMEOUT_MS=600000"), 600_000);
});

test("a limit that is no number of milliseconds is refused", () => {
  for (const text of ["0", "-1", "1.5", "10s", "1e3", " 5", "9999999999"])
    assert.throws(() => limitIn(`PLUMB_TIMEOUT_MS=${text}`), {
      code: 4,
      message: `invalid PLUMB_TIMEOUT_MS "${text}"`,
    });
});
