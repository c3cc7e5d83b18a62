import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { errno } from "../host/errno.ts";
import { type RunOptions, type RunResult, SysError } from "../host/host.ts";
import type { Programs } from "./programs.ts";

/** A grandchild may hold the plugin's stdout open for ever: what the plugin wrote has arrived long before. */
const DRAIN_MS = 1000;

/** Runs plugins as children of Node; the event loop goes on meanwhile. */
export function spawnedPrograms(): Programs {
  return { run, sleep: async (ms) => sleep(ms) };
}

function run(path: string, { argv, env, stdin, timeoutMs, captureStderr }: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, argv.slice(1), {
      argv0: argv[0] ?? path,
      env: Object.fromEntries(env.map(splitEntry)),
      // A process group of its own, so that a timeout reaches its children too.
      detached: true,
      stdio: ["pipe", "pipe", captureStderr ? "pipe" : "inherit"],
    });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, timeoutMs);
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new SysError("run", -(error.errno ?? -errno.EIO), path));
    });
    // A plugin that does not read its stdin is not our error.
    child.stdin?.on("error", () => {});
    child.stdin?.end(stdin ?? new Uint8Array());
    child.on("exit", () => setTimeout(() => closeStreams(child), DRAIN_MS).unref());
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (timedOut) reject(new SysError("run", errno.ETIMEDOUT, path));
      else
        resolve({
          exitCode: code ?? -1,
          signal: signal === null ? 0 : (constants.signals[signal] ?? 0),
          stdout: stdout(),
          stderr: stderr(),
        });
    });
  });
}

/** Gathers what a stream gives; call the result to have it as text. */
function collect(stream: Readable | null): () => string {
  const chunks: Uint8Array[] = [];
  stream?.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}

function closeStreams(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

function splitEntry(entry: string): [string, string] {
  const equals = entry.indexOf("=");
  return [entry.slice(0, equals), entry.slice(equals + 1)];
}
