import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type * as library from "../../src/runtime/index.node.ts";

// What `import … from "plumb/runtime"` gives: the compiled library and the addon.
const path = new URL("../../dist/node/runtime/index.node.js", import.meta.url).href;
const { CniError, createRuntime, parseConfigList, resultCodec }: typeof library = await import(path);

test("containers are attached in parallel and detached again", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "plumb-library-"));
  t.after(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, "meet"));
  // Each ADD waits until the other one runs too.
  const script = `#!/bin/sh
test $CNI_COMMAND = ADD || exit 0
touch ${dir}/meet/$CNI_CONTAINERID
while test $(ls ${dir}/meet | wc -l) -lt 2; do sleep 0.01; done
echo '{"cniVersion":"1.1.0","ips":[{"address":"10.1.0.2/16","gateway":"10.1.0.1"}]}'
`;
  writeFileSync(join(dir, "meeting"), script, { mode: 0o755 });
  const runtime = createRuntime({ path: [dir], cacheDir: join(dir, "cache"), timeoutMs: 20_000 });
  const network = parseConfigList({ cniVersion: "1.1.0", name: "n", plugins: [{ type: "meeting" }] });
  const attachments = ["c1", "c2"].map((containerId) => ({
    containerId,
    netns: "/run/netns/none",
    ifName: "eth0",
  }));
  const results = await Promise.all(attachments.map((attachment) => runtime.add(network, attachment)));
  const { decode } = resultCodec(network.cniVersion);
  for (const result of results) assert.equal(String(decode(result).ips?.[0]?.gateway), "10.1.0.1");
  assert.equal(runtime.attachments().attachments.length, 2);
  await Promise.all(attachments.map((attachment) => runtime.del(network, attachment)));
  assert.deepEqual(readdirSync(join(dir, "cache/results")), []);
  assert.equal(existsSync(join(dir, "cache/plumb/locks/containers/c1")), false);
});

test("errors are CniErrors of the library", async () => {
  const runtime = createRuntime({ confDir: "/nowhere" });
  assert.throws(
    () => runtime.network("n"),
    (error) => error instanceof CniError && error.code === 7,
  );
});
