import type { Host } from "../host/host.ts";
import type { Scheduler } from "./loop.ts";

const MINUTE_MS = 60_000;
/** More about one attachment tell nobody more. */
const MOST_LINES = 20;

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

/** As `log`, but nothing twice, one behind the other. */
export function unrepeated(log: Log): Log {
  let last = "";
  return (line) => {
    if (line !== last) log(line);
    last = line;
  };
}

/** As `log`, but for some lines a minute: what comes from the network is not to fill a disk. */
export function sparing(log: Log, scheduler: Scheduler): Log {
  let [since, count] = [scheduler.now(), 0];
  return (line) => {
    const now = scheduler.now();
    if (now - since >= MINUTE_MS) [since, count] = [now, 0];
    count++;
    if (count <= MOST_LINES) log(line);
    else if (count === MOST_LINES + 1) log(`${MOST_LINES} lines in a minute: the others are left out`);
  };
}
