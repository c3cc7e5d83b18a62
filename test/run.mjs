#!/usr/bin/env node
// Runs the tests: node test/run.mjs [GROUP]... [FILE.test.ts]...
//
//   unit      what needs neither root nor a kernel of its own: src/, bench/, test/repository/, test/*.test.ts
//   kernel    the folders of test/ that this list does not name, in network namespaces of their own (root)
//   e2e       test/e2e: the executable as runtimes call it (root)
//   runtimes  test/runtimes: container runtimes that people use, which call the executable (root). PLUGINS=reference has
//             them call the reference plugins, PLUGINS=reference-next those of Debian's next release
//   debug     some of test/native, test/host, test/dhcp and test/e2e once more, on the build with sanitizers (root)
//   vm        test/vm in a virtual machine, for what not every machine's kernel has (root, qemu)
//
// Without arguments all groups run. What cannot run here is left out with a word about it; with CI=true that is an error.
import { spawnSync } from "node:child_process";
import { accessSync, constants, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");

/** The test files below a folder. */
function below(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(folder, name))
    .sort();
}

const ELSEWHERE = ["repository", "e2e", "runtimes", "vm", "groups"];
const tests = below("test");
const inFolder = (file, folder) => file.startsWith(`test/${folder}/`);

// The long ones first: the others run beside them.
const groups = {
  vm: () => ["test/groups/vm.ts"],
  debug: () => ["test/groups/debug.ts"],
  runtimes: () => below("test/runtimes"),
  e2e: () => below("test/e2e"),
  kernel: () =>
    tests.filter((file) => file.split("/").length > 2 && !ELSEWHERE.some((folder) => inFolder(file, folder))),
  unit: () => [
    ...below("src"),
    ...below("bench"),
    ...tests.filter((file) => file.split("/").length === 2 || inFolder(file, "repository")),
  ],
};

function installed(program) {
  return process.env.PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Why a group cannot run here, or undefined. */
function obstacle(group) {
  if (group !== "unit" && process.geteuid() !== 0) return "needs root";
  const missing =
    group === "vm" ? ["qemu-system-x86_64", "busybox", "xz"].filter((program) => !installed(program)) : [];
  return missing.length > 0 ? `needs ${missing.join(", ")}` : undefined;
}

const files = process.argv.slice(2).filter((argument) => argument.endsWith(".test.ts"));
const named = process.argv.slice(2).filter((argument) => !argument.endsWith(".test.ts"));
const unknown = named.filter((name) => !(name in groups));
if (unknown.length > 0) {
  console.error(`no group ${unknown.join(", ")}: there are ${Object.keys(groups).join(", ")}`);
  process.exit(2);
}
const chosen = Object.keys(groups).filter(
  (name) => named.includes(name) || (named.length === 0 && files.length === 0),
);
const left = chosen.filter((group) => obstacle(group) !== undefined);

function say() {
  for (const group of left) console.error(`NOT RUN: the tests of group ${group}: ${obstacle(group)}`);
}

say();
files.push(...chosen.filter((group) => !left.includes(group)).flatMap((group) => groups[group]()));
if (files.length === 0) process.exit(1);
const { status } = spawnSync(
  process.execPath,
  [
    ...["--import", "ts-blank-space/register", "--test", "--test-reporter=spec"],
    `--test-concurrency=${availableParallelism()}`,
    ...files,
  ],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
);
say();
process.exitCode = status || (left.length > 0 && process.env.CI ? 1 : 0);
