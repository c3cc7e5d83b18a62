/**
 * What `make` gives. If it throws, `remove` takes away what was already there. The error stays the first one; should
 * `remove` fail too, its words are added.
 */
export function allOrNothing<T>(make: () => T, remove: () => void): T {
  try {
    return make();
  } catch (error) {
    try {
      remove();
    } catch (second) {
      if (error instanceof Error) error.message += ` (and not undone: ${(second as Error).message})`;
    }
    throw error;
  }
}
