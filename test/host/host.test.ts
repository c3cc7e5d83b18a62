import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { openHost } from "../../src/host/node.node.ts";
import { buildProgram } from "../programs.ts";
import { casesFor, hostContract } from "./contract.ts";

/** Runs in an empty directory, which is removed afterwards. */
function inDirectory<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "plumb-host-"));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function report(outcomes: ReadonlyMap<string, string | null>, expected: readonly { name: string }[]): void {
  for (const { name } of expected)
    it(name, () => {
      const failure = outcomes.get(name);
      assert.ok(failure !== undefined, "the case did not run");
      if (failure !== null) assert.fail(failure);
    });
}

describe("the host on Node", () => {
  const outcomes = new Map<string, string | null>();
  inDirectory((directory) =>
    hostContract({ host: openHost(), directory }, "kernel", (name, failure) =>
      outcomes.set(name, failure ?? null),
    ),
  );
  report(outcomes, casesFor("kernel"));

  it("decodes any bytes as the Encoding standard does", () => {
    const host = openHost();
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(bytes, fc.nat(3), (whole, cut) => {
        const part = whole.subarray(cut);
        assert.equal(host.decode(part), new TextDecoder("utf-8", { ignoreBOM: true }).decode(part));
      }),
    );
  });
});

describe("the host in the engine", () => {
  const program = buildProgram("test/host/engine-main.ts");
  const { stdout, stderr, status } = inDirectory((directory) =>
    spawnSync(program, [directory], { encoding: "utf8", maxBuffer: 1 << 26, timeout: 300_000 }),
  );
  const lines = stdout.split("\n").filter((line) => line.startsWith("["));
  report(new Map(lines.map((line) => JSON.parse(line) as [string, string | null])), casesFor("alone"));
  it("ends in order", () => assert.deepEqual({ status, stderr }, { status: 0, stderr: "" }));
});
