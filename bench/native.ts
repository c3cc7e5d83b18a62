import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "..");

/** Builds bench/NAME.c into dist/bench/NAME, static like the executable that it is compared with. */
export function buildProgram(name: string): string {
  const source = join(import.meta.dirname, `${name}.c`);
  const output = join(root, "dist/bench", name);
  if (existsSync(output) && statSync(output).mtimeMs > statSync(source).mtimeMs) return output;
  mkdirSync(join(root, "dist/bench"), { recursive: true });
  const architecture = { x64: "x86_64", arm64: "aarch64" }[process.arch as string] ?? process.arch;
  // musl-gcc hides the system's headers: the kernel's are wanted, behind musl's own.
  const headers = ["/usr/include", `/usr/include/${architecture}-linux-gnu`].flatMap((path) => [
    "-idirafter",
    path,
  ]);
  const flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", ...headers];
  execFileSync("musl-gcc", [...flags, source, "-o", output], { stdio: "inherit" });
  return output;
}
