// Runs the tests of this folder with ours and with the reference's plugins, and prints what came of each, side by side.
//
//   npm run test:runtimes-table [-- FILE.test.ts…]
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { NODE_FLAGS } from "../groups/nested.ts";
import { root } from "../root.ts";

const SIDES = ["ours", "reference", "reference-next"];
/** They say themselves what came of both. */
const NOT_COMPARED = ["soak.test.ts"];

const named = process.argv.slice(2);
const files =
  named.length > 0
    ? named
    : readdirSync(import.meta.dirname)
        .filter((name) => name.endsWith(".test.ts") && !NOT_COMPARED.includes(name))
        .map((name) => `test/runtimes/${name}`);

const results = new Map<string, Map<string, string>>();
for (const side of SIDES) {
  const args = [...NODE_FLAGS, "--test", "--test-concurrency=2", ...files];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, PLUGINS: side },
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith('{"name":')) continue;
    const { name, failure, skip } = JSON.parse(line) as { name: string; failure?: string; skip?: unknown };
    const outcome = skip ? "not run" : failure === undefined ? "✔" : "✘";
    results.set(name, (results.get(name) ?? new Map<string, string>()).set(side, outcome));
  }
}

const names = [...results.keys()];
const cases = names.filter((name) => !names.some((other) => other.startsWith(`${name} > `)));
console.log(`| | ${SIDES.join(" | ")} |\n|---|${"---|".repeat(SIDES.length)}`);
for (const name of cases)
  console.log(
    `| ${name.replaceAll(" > ", ": ")} | ${SIDES.map((side) => results.get(name)!.get(side) ?? "-").join(" | ")} |`,
  );
const passed = SIDES.map((side) => cases.filter((name) => results.get(name)!.get(side) === "✔").length);
console.log(`| ${cases.length} cases, passed | ${passed.join(" | ")} |`);
