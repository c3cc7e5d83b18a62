// Programs that run beside a test, and what they say.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Scope, World } from "./world.ts";

const POLL_MS = 20;
let started = 0;

/** Waits until a condition holds; gives what it gave. Fails after `seconds`, with what `explain` says. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { seconds = 20, explain = () => "" }: { seconds?: number; explain?: () => string } = {},
): Promise<NonNullable<T>> {
  for (const end = Date.now() + seconds * 1000; ; ) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) assert.fail(`waited ${seconds} s in vain for ${what}\n${explain()}`);
    await setTimeout(POLL_MS);
  }
}

/** A program that runs in a world until it is stopped, or the test ends. */
export class Program {
  readonly #child: ChildProcess;
  readonly #file: string;
  readonly #ended: Promise<number | null>;

  constructor(t: Scope, world: World, command: readonly string[]) {
    this.#file = join(world.bin, `output-${++started}`);
    // It ends with this process, however that ends.
    const [program, ...args] = ["setpriv", "--pdeathsig", "KILL", "--", ...world.entering(command)];
    // A file, for it takes everything: the test may be busy with something else.
    const output = openSync(this.#file, "a");
    this.#child = spawn(program!, args, { stdio: ["ignore", output, output] });
    closeSync(output);
    this.#ended = new Promise((resolve) => this.#child.on("close", resolve));
    t.after(() => this.#child.kill("SIGKILL"));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All that it has said, on stdout and stderr. */
  get output(): string {
    return readFileSync(this.#file, "utf8");
  }

  /** Lines that it said, those that match. */
  lines(pattern: RegExp): string[] {
    return this.output.split("\n").filter((line) => pattern.test(line));
  }

  /** Waits until it has said something `times` times. */
  async says(pattern: RegExp, { times = 1, seconds = 20 } = {}): Promise<void> {
    const explain = () => this.output.slice(-4000);
    await until(`${pattern}`, () => this.lines(pattern).length >= times, { seconds, explain });
  }

  /** Waits until a condition holds that comes of this program's work. */
  async until<T>(what: string, condition: () => T, seconds = 20): Promise<NonNullable<T>> {
    const look = () => {
      assert.ok(this.running, `it ended: ${this.output}`);
      return condition();
    };
    return await until(what, look, { seconds, explain: () => this.output.slice(-4000) });
  }

  /** Gives the exit code; null if the signal ended it. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(signal);
    return await this.#ended;
  }

  /** Waits for its end; gives the exit code. */
  async end(): Promise<number | null> {
    return await this.#ended;
  }
}
