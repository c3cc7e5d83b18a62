import { CniError } from "../spec/errors.ts";
import { explain } from "./explain.ts";
import type { Cleanup } from "./types.ts";

/** Tries each step of a DEL or GC at once, and keeps the errors for the end. */
export class CleanupList implements Cleanup {
  readonly #errors: CniError[] = [];

  step(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      const { code, message, details } = explain(error);
      this.#errors.push(new CniError(code, `cannot ${what}: ${message}`, details, { cause: error }));
    }
  }

  /** Throws if a step failed: the first error's code and message, and all of them in the details if there are more. */
  finish(): void {
    const [first, ...others] = this.#errors;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const lines = this.#errors.map(({ message, details }) => `${message}${details && ` (${details})`}`);
    throw new CniError(first.code, first.message, lines.join("\n"), { cause: first });
  }
}
