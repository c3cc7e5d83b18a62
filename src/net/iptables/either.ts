import { CniError } from "../../spec/errors.ts";

/**
 * For CHECK: one of two backends must have made what is there. Throws what the first one says, if the other does not find
 * all of it either, or is not to be asked.
 */
export function eitherOf(check: () => void, other: (() => void) | false): void {
  try {
    check();
  } catch (error) {
    if (!other || !(error instanceof CniError) || !passes(other)) throw error;
  }
}

function passes(check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    // Also that there is no program.
    if (error instanceof CniError) return false;
    throw error;
  }
}
