import type { Undo } from "./types.ts";

interface Step {
  readonly what: string;
  readonly run: () => void | Promise<void>;
}

/** Collects the steps of one ADD. */
export class UndoList implements Undo {
  readonly #steps: Step[] = [];

  keep<T extends { remove(): void }>(thing: T): T {
    this.add("undo a step of ADD", () => thing.remove());
    return thing;
  }

  add(what: string, step: () => void | Promise<void>): void {
    this.#steps.push({ what, run: step });
  }

  /** Runs all steps, newest first; gives the failures as lines of text. */
  async run(): Promise<string[]> {
    const failures: string[] = [];
    for (const { what, run } of this.#steps.splice(0).reverse()) {
      try {
        await run();
      } catch (error) {
        failures.push(`cannot ${what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return failures;
  }

  async runOrThrow(): Promise<void> {
    const failures = await this.run();
    if (failures.length > 0) throw new Error(failures.join("; "));
  }
}
