// The tests of the executable on the build with the address and undefined-behaviour sanitizers.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../root.ts";
import { NODE_FLAGS, runNested } from "./nested.ts";

/** What reads most of what strangers send. */
const DHCP = /\/dhcp(6|-hostile)?\.test\.ts$/;

/** Who deletes whose is the same on any build, and takes minutes. */
const BESIDE_THE_REFERENCE = /\/(mixed-.*|upgrade)\.test\.ts$/;

/** The test files that run the executable which PLUMB names, and those of DHCP. */
function testsOfExecutable(): string[] {
  return ["test/native", "test/host", "test/dhcp", "test/e2e"]
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
    .filter((file) => file.endsWith(".test.ts") && !BESIDE_THE_REFERENCE.test(file))
    .filter((file) => DHCP.test(file) || readFileSync(join(root, file), "utf8").includes("/programs.ts"));
}

test("with sanitizers", async (t) => {
  execFileSync(process.execPath, [join(root, "native/build.mjs"), "--debug"]);
  const PLUMB = join(root, "dist/debug/plumb");
  await runNested(t, [process.execPath, ...NODE_FLAGS, "--test", ...testsOfExecutable()], { PLUMB });
});
