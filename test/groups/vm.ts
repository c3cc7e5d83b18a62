// The tests of test/vm in one virtual machine.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../root.ts";
import { NODE_FLAGS, runNested } from "./nested.ts";

/** Emulation is slow: a minute of the guest is about five seconds of ours. */
const LIMIT_SECONDS = 2400;

test("in a virtual machine", async (t) => {
  const files = readdirSync(join(root, "test/vm")).filter((name) => name.endsWith(".test.ts"));
  // One process for all files: starting Node takes the guest seconds.
  const imports = files.flatMap((name) => ["--import", `./test/vm/${name}`]);
  const command = [process.execPath, ...NODE_FLAGS, ...imports, "--eval", "0"];
  const vmRun = join(root, "test/vm-run");
  await runNested(t, [vmRun, "-t", String(LIMIT_SECONDS), "-m", "2048", "-c", "2", "--", ...command]);
});
