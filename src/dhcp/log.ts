import type { Host } from "../host/host.ts";

/** Takes what an operator should know: a line, without its end. */
export type Log = (line: string) => void;

/**
 * Writes lines to stderr. What nobody reads is lost: a daemon does not wait for its log. Control characters in what
 * others sent are not passed on to a terminal.
 */
export function logTo({ sys }: Host): Log {
  return (line) => {
    sys.write(2, sys.encode(`${line.replaceAll(/\p{Cc}+/gu, " ")}\n`), 0);
  };
}
