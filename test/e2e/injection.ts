// Makes system calls of a plugin fail, one at a time, by strace: a failed ADD must leave nothing, a failed DEL must tell.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CallSettings, Container, Json, World } from "./world.ts";

/** A system call that fails, and how. */
export type Injection = readonly [call: string, errno: string];

/** The failures that every plugin has to live with. */
export const INJECTIONS: readonly Injection[] = [
  // A request does not reach the kernel.
  ["sendto", "EPERM"],
  // It did, but nobody tells how it went.
  ["recvfrom", "EIO"],
  // Namespaces, settings, files.
  ["open", "EACCES"],
  ["write", "ENOSPC"],
];

export interface Subject {
  readonly world: World;
  readonly container: Container;
  readonly config: Json;
  /** Besides `prevResult`, which a chained plugin is given on ADD too. */
  readonly settings?: CallSettings;
  /** What must be as before; unless given, the world's state and the container's addresses and routes. */
  readonly state?: () => Json;
  /** Takes away what DEL leaves for good, such as a bridge. */
  readonly tidy?: () => void;
}

function stateOf({ world, container, state }: Subject): Json {
  if (state) return state();
  return {
    ...world.state(),
    inside: container.ip("address", "show"),
    routes: container.routes(),
    routes6: container.routes(6),
  };
}

/** What a plugin is to be run by, and what the trace said. */
function tracing({ world }: Subject, call: string) {
  const file = join(world.bin, "trace");
  const wrap = (...options: string[]) => ["strace", "-qq", "-o", file, "-e", `trace=${call}`, ...options];
  const lines = () =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.startsWith(`${call}(`));
  return { wrap, lines };
}

/** Lets each `call` of an ADD fail once in turn; gives how many there were. After each, all is as before. */
export function addLeavesNothing(subject: Subject, [call, errno]: Injection): number {
  const { world: w, container, config, settings, tidy } = subject;
  const undo = (result: Json) => {
    w.del(config, container, { ...settings, prevResult: result });
    tidy?.();
  };
  // What plugins make for good must be there before.
  undo(w.add(config, container, settings));
  const before = stateOf(subject);
  const trace = tracing(subject, call);
  undo(w.add(config, container, { ...settings, wrap: trace.wrap() }));
  const count = trace.lines().length;
  for (let nth = 1; nth <= count; nth++) {
    const wrap = trace.wrap("-e", `inject=${call}:error=${errno}:when=${nth}`);
    const { code, output } = w.call("ADD", config, container, { ...settings, wrap });
    const where = `${call} ${nth} of ${count}: ${JSON.stringify(output)}\n${trace.lines()[nth - 1]}`;
    if (code === 0) {
      // It can do without this call, and has done all.
      w.check(config, container, output, settings);
      undo(output);
    } else assert.doesNotMatch(output.details ?? "", /undone/, where);
    assert.deepEqual(stateOf(subject), before, where);
  }
  return count;
}

/** Kills an ADD at each of its `call`s in turn; gives how many there were. After the DEL that follows all is as before. */
export function delClearsKilled(subject: Subject, call: string): number {
  const { world: w, container, config, settings } = subject;
  w.del(config, container, { ...settings, prevResult: w.add(config, container, settings) });
  const before = stateOf(subject);
  const trace = tracing(subject, call);
  for (let nth = 1; ; nth++) {
    const wrap = trace.wrap("-e", `inject=${call}:signal=KILL:when=${nth}`);
    const { code } = w.call("ADD", config, container, { ...settings, wrap });
    w.del(config, container, settings);
    assert.deepEqual(stateOf(subject), before, `${call} ${nth}`);
    if (code === 0) return nth - 1;
  }
}

/** Lets each `call` of a DEL fail once in turn; gives how many DELs told so. The next DEL then removes the rest. */
export function delTells(subject: Subject, call: string): number {
  const { world: w, container, config, settings } = subject;
  w.del(config, container, { ...settings, prevResult: w.add(config, container, settings) });
  const before = stateOf(subject);
  const trace = tracing(subject, call);
  let failed = 0;
  for (let nth = 1, hit = true; hit; nth++) {
    const prevResult = w.add(config, container, settings);
    const wrap = trace.wrap("-e", `inject=${call}:error=EACCES:when=${nth}`);
    const { code, output } = w.call("DEL", config, container, { ...settings, prevResult, wrap });
    hit = trace.lines().some((line) => line.includes("INJECTED"));
    const where = `${call} ${nth}: ${JSON.stringify(output)}`;
    if (code !== 0) failed++;
    // What is still there must have been told.
    if (code === 0) assert.deepEqual(stateOf(subject), before, where);
    w.del(config, container, settings);
    assert.deepEqual(stateOf(subject), before, where);
  }
  return failed;
}
