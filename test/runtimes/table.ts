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
const outcomes = (name: string) => SIDES.map((side) => results.get(name)!.get(side) ?? "-");
const passed = (some: readonly string[]) =>
  SIDES.map((_, column) => `${some.filter((name) => outcomes(name)[column] === "✔").length}`);

printTable(
  ["", ...SIDES],
  cases.map((name) => [name.replaceAll(" > ", ": "), ...outcomes(name)]),
);
/** The runtime, with which a case's name begins. */
const runtimeOf = (name: string) => name.split(/ > |: /)[0]!;
printTable(
  ["passed", "cases", ...SIDES],
  [...new Set(cases.map(runtimeOf)), undefined].map((runtime) => {
    const own = cases.filter((name) => runtime === undefined || runtimeOf(name) === runtime);
    return [runtime ?? "all", `${own.length}`, ...passed(own)];
  }),
);

function printTable(head: readonly string[], rows: readonly string[][]): void {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  console.log(["", line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n"));
}
