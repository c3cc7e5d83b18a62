import type { Sys } from "./sys.ts";

declare const sys: Sys;

/** The table of system calls that the executable puts into the global object. */
export function table(): Sys {
  return sys;
}
