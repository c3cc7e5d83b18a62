import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { cpus, release } from "node:os";
import { join, resolve } from "node:path";
import { check, type Host } from "../src/host/host.ts";
import { pluginTypes } from "../src/plugins/registry.ts";
import { buildProgram, root } from "./native.ts";
import type { Machine } from "./report.ts";

const MS_BIND = 4096;
const INSIDE = "PLUMB_BENCH_INSIDE";

/** The surroundings of a run: whom to measure, how often, and a place of its own to do it in. */
export interface World {
  readonly host: Host;
  readonly runs: number;
  /** Folders of plugins, as CNI_PATH has them. */
  readonly ours: string;
  readonly reference: string;
  readonly executable: string;
  readonly floor: string;
  readonly launcher: string;
  /** A folder that vanishes with this run. */
  readonly scratch: string;
}

/**
 * Runs this program again in network and mount namespaces of its own, so that links, rules and leases vanish with it.
 * Gives its exit code; undefined if this is the one inside.
 */
export function enterNamespaces(args: readonly string[]): number | undefined {
  if (process.env[INSIDE] !== undefined) return undefined;
  const program = [process.execPath, join(import.meta.dirname, "run.mjs"), ...args];
  const { status, error } = spawnSync("unshare", ["--mount", "--net", ...program], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  if (error) throw error;
  return status ?? 1;
}

export function makeWorld(host: Host, runs: number): World {
  const executable = resolve(process.env["PLUMB"] ?? join(root, "dist/plumb"));
  const reference = process.env["REFERENCE"] ?? "/usr/lib/cni";
  for (const path of [executable, join(reference, "bridge")])
    if (!existsSync(path))
      throw new Error(`${path} is not there: run "npm run build", install containernetworking-plugins`);
  // In memory, so that no disk is measured; /run also holds the lock of iptables.
  for (const path of ["/run", "/var/lib/cni"]) {
    mkdirSync(path, { recursive: true });
    check("mount", host.sys.mount("tmpfs", path, "tmpfs", 0), path);
  }
  mkdirSync("/run/netns");
  execFileSync("ip", ["link", "set", "lo", "up"]);
  return {
    host,
    runs,
    ours: linkPlugins(executable),
    reference,
    executable,
    floor: buildProgram("floor"),
    launcher: buildProgram("launcher"),
    scratch: mkdtempSync("/run/bench-"),
  };
}

/** Makes container namespaces and gives their paths. */
export function makeNamespaces(host: Host, prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const path = `/run/netns/${prefix}-${index}`;
    const fd = check("unshare", host.sys.newnetns());
    host.writeFile(path, "");
    check("mount", host.sys.mount(`/proc/self/fd/${fd}`, path, "", MS_BIND), path);
    host.close(fd);
    return path;
  });
}

export function describeMachine(world: World): Machine {
  const [cpu] = cpus();
  return {
    kernel: release(),
    cpu: cpu?.model ?? "unknown processor",
    cpus: cpus().length,
    ours: firstLine(world.executable, "version"),
    reference:
      `${world.reference} ${firstLine("dpkg-query", "--show", "containernetworking-plugins")}`.replace(
        "\t",
        " ",
      ),
  };
}

/** What a program says first; nothing if it is not there. */
function firstLine(program: string, ...args: string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: "utf8" });
  return stdout?.split("\n")[0] ?? "";
}

/** Links named as the plugins, as they are installed. */
function linkPlugins(executable: string): string {
  const folder = mkdtempSync(join("/run", "cni-bin-"));
  for (const name of pluginTypes) symlinkSync(executable, join(folder, name));
  return folder;
}
