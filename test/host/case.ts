import { type ErrnoName, errno, errnoName } from "../../src/host/errno.ts";
import { type Host, SysError } from "../../src/host/host.ts";

/**
 * `fake`: all implementations; `kernel`: what needs real processes, pipes, mounts, namespaces;
 * `alone`: what needs a process without further threads besides, which Node's is not.
 */
export type Level = "fake" | "kernel" | "alone";

export interface Setting {
  readonly host: Host;
  /** An empty directory for this test alone; who calls removes it. */
  readonly directory: string;
}

/** One promise of Host or Sys. */
export interface Case {
  readonly name: string;
  readonly level: Level;
  /** Throws if the promise is broken. */
  readonly run: (setting: Setting) => void;
}

export function equal(actual: unknown, expected: unknown, what = "value"): void {
  const [a, e] = [actual, expected].map((value) => JSON.stringify(value) ?? String(value));
  if (a !== e) throw new Error(`${what}: ${shorten(a!)} instead of ${shorten(e!)}`);
}

export function truthy(value: unknown, what: string): void {
  if (!value) throw new Error(`not so: ${what}`);
}

/** A call of Sys that must fail. */
export function fails(result: unknown, name: ErrnoName, what = "call"): void {
  const actual = typeof result === "number" && result < 0 ? errnoName(-result) : `success (${result})`;
  equal(actual, name, what);
}

/** A method of Host that must throw SysError. */
export function throws(act: () => unknown, name: ErrnoName): SysError {
  try {
    act();
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    equal(errnoName(error.errno), name, error.message);
    return error;
  }
  throw new Error(`did not throw ${name} (${errno[name]})`);
}

/** Waits for what another process does. */
export function eventually(host: Host, what: string, condition: () => boolean): void {
  for (let tries = 0; tries < 1000; tries++) {
    if (condition()) return;
    host.sleep(10);
  }
  throw new Error(`never: ${what}`);
}

function shorten(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text;
}
