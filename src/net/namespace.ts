/** An open network namespace. */
export interface Namespace {
  /** Its descriptor; -1 for the process's own. */
  readonly fd: number;
  /** The path by which it was opened; "" for the process's own. */
  readonly path: string;
}
