// Calls with just the environment and the stdin that are given, as any program may make them.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Json, type Outcome, World } from "./world.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a call printed, and its stdout as JSON. */
export interface Asked extends Outcome {
  readonly output: Json;
}

/** Calls a plugin by its link, or any other command. `undefined` in the environment is not set. */
export function ask(
  world: World,
  command: string | readonly string[],
  environment: Environment,
  stdin: Json = "",
): Asked {
  const words = typeof command === "string" ? [join(world.bin, command)] : command;
  const set = Object.entries({ PATH: process.env["PATH"], ...environment }).filter(
    ([, value]) => value !== undefined,
  );
  const environ = ["env", "-i", ...set.map(([name, value]) => `${name}=${value}`)];
  const input = typeof stdin === "string" ? stdin : JSON.stringify(stdin);
  const { code, stdout, stderr } = world.exec([...environ, ...words], { input });
  return { code, stdout, stderr, output: stdout.trim() === "" ? undefined : JSON.parse(stdout) };
}

/** The same through a shell, in which $0 is a plugin's path: to give it strange descriptors and arguments. */
export function askShell(
  world: World,
  script: string,
  plugin: string,
  environment: Environment,
  stdin: Json = "",
): Asked {
  return ask(world, [...SHELL, script, join(world.bin, plugin)], environment, stdin);
}

/** It takes a stdin that is a socket, as Node's are, for a login from far away, with files to read. */
export const SHELL = ["bash", "--norc", "-c"];

/** The environment of a call on behalf of a container. */
export function variables(world: World, command: string, container = "c1"): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${container}`,
    CNI_IFNAME: "eth0",
    CNI_PATH: world.bin,
  };
}

/** What must be the answer: an error object with this code, and msg and details that read so. */
export function isRefused(asked: Asked, code: number, msg: string | RegExp, details?: string | RegExp): void {
  assert.equal(asked.code, 1, `${asked.stdout}${asked.stderr}`);
  assert.equal(asked.output.code, code, asked.stdout);
  matches(asked.output.msg, msg);
  if (details !== undefined) matches(asked.output.details ?? "", details);
  assert.equal(typeof asked.output.cniVersion, "string");
  // The same on a line for the log.
  assert.match(asked.stderr, /^plumb: \S+: \S+ .*failed: .*\n$/);
  assert.ok(asked.stderr.includes(`(code ${code})`), asked.stderr);
}

function matches(text: string, wanted: string | RegExp): void {
  if (typeof wanted === "string") assert.equal(text, wanted);
  else assert.match(text, wanted);
}

/** What must have gone well; gives what was printed. */
export function succeeded({ code, output, stdout, stderr }: Asked): Json {
  assert.equal(code, 0, `${stdout}${stderr}`);
  return output;
}

/** The command lines of all processes in the network namespace of this world, but the one that holds it. */
export function processes(world: World): string[] {
  const own = world.must("readlink", "/proc/self/ns/net").trim();
  const commands = readdirSync("/proc").flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || readlinkSync(`/proc/${pid}/ns/net`) !== own) return [];
      return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()];
    } catch {
      return []; // it has ended
    }
  });
  return commands.filter((command) => command !== "cat -");
}

/**
 * A test in a world with the container c1. `same` fails if anything is not as it was at the start; it is called at the
 * end in any case.
 */
export function untouched(
  work: (world: World, same: () => void, t: TestContext) => void | Promise<void>,
): (t: TestContext) => Promise<void> {
  return async (t) => {
    const world = await World.start(t);
    const container = world.container();
    const state = () => ({
      host: world.state(),
      inside: container.ip("address", "show"),
      processes: processes(world),
    });
    const before = state();
    const same = () => assert.deepEqual(state(), before);
    await work(world, same, t);
    same();
  };
}
