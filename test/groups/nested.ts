import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { root } from "../root.ts";

/** What events.mjs prints of a test. */
interface Ended {
  readonly name: string;
  readonly failure?: string;
  readonly skip?: string | boolean;
}

/** The flags with which Node runs our tests, and tells of them as `runNested` wants it. */
export const NODE_FLAGS = [
  "--import",
  "ts-blank-space/register",
  "--test-reporter",
  "./test/groups/events.mjs",
];

/** Runs a command in which other tests run, and reports each of them as a part of this test. */
export async function runNested(
  t: TestContext,
  [command, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  // Else the inner runner takes itself for a part of ours.
  const { NODE_TEST_CONTEXT: _, ...ours } = process.env;
  const child = spawn(command, args, {
    cwd: root,
    env: { ...ours, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  let ended = 0;
  let failed = 0;
  for await (const line of createInterface(child.stdout!)) {
    if (!line.startsWith('{"name":')) {
      t.diagnostic(line);
      continue;
    }
    const { name, failure, skip } = JSON.parse(line) as Ended;
    ended++;
    if (failure !== undefined) failed++;
    await t.test(name, { skip: skip ?? false }, () => {
      if (failure !== undefined) assert.fail(failure);
    });
  }
  const [code] = (await exit) as [number | null];
  assert.ok(ended > 0, "no test ran");
  assert.equal(code, failed > 0 ? 1 : 0, `exit code of ${join(command)}`);
}
