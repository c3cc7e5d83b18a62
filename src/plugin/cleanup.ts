import { CniError } from "../spec/errors.ts";
import { explain } from "./explain.ts";
import type { Cleanup } from "./types.ts";

/** Tries each step of a DEL or GC at once, and keeps the errors for the end. */
export class CleanupList implements Cleanup {
  readonly #errors: { readonly what: string; readonly error: CniError }[] = [];

  step(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#errors.push({ what, error: explain(error) });
    }
  }

  /** Throws if a step failed: the first error's code and message, all of them in the details. */
  finish(): void {
    const [first] = this.#errors;
    if (first === undefined) return;
    const lines = this.#errors.map(
      ({ what, error: { message, details } }) => `cannot ${what}: ${message}${details && ` (${details})`}`,
    );
    throw new CniError(first.error.code, `cannot ${first.what}: ${first.error.message}`, lines.join("\n"), {
      cause: first.error,
    });
  }
}
