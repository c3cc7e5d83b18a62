// The executables that tests run. PLUMB names the one to test; without it, it is the release build.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { root } from "./root.ts";

/** The plumb under test. */
export const plumb = resolve(process.env["PLUMB"] ?? join(root, "dist/plumb"));

/** Whether it is the build with the address and undefined-behaviour sanitizers. */
export const sanitized = plumb.includes("/debug/");

if (!existsSync(plumb)) throw new Error(`no ${plumb}: run \`npm run build\` first (or build:debug)`);

/** Builds a program like plumb, of the same kind, from another entry. Gives its path. */
export function buildProgram(entry: string): string {
  const program = join(root, "dist/test", `${basename(entry, ".ts")}${sanitized ? "-debug" : ""}`);
  const flags = sanitized ? ["--debug"] : [];
  execFileSync(process.execPath, [
    join(root, "native/build.mjs"),
    ...flags,
    ...["--entry", join(root, entry), "--out", program],
  ]);
  return program;
}
