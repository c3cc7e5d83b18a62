import type { Host } from "../host/host.ts";
import { Journal } from "../log/journal.ts";
import type { Level } from "../log/level.ts";
import { settingsOfEnvironment } from "../log/settings.ts";
import type { Scheduler } from "./loop.ts";
import { type AttachmentId, attachmentName } from "./protocol.ts";

const MINUTE_MS = 60_000;
/** More about one attachment tell nobody more. */
const MOST_LINES = 20;

/** What a line is about. */
export interface About {
  /** By itself "warn": most of what is told is that something does not work. */
  readonly level?: Level;
  readonly id?: AttachmentId;
}

/** For lines that tell of what is as it should be. */
export const INFO: About = { level: "info" };

/** Takes what an operator should know: a line, without its end. */
export type Log = (line: string, about?: About) => void;

/**
 * Writes lines to stderr, and to the file that the environment names. What nobody reads is lost: a daemon does not wait for
 * its log. Control characters in what others sent are not passed on to a terminal.
 */
export function logTo(host: Host): Log {
  const problems: string[] = [];
  const settings = settingsOfEnvironment(host, (problem) => problems.push(problem));
  const journal = new Journal(host, settings, "", () => ({ plugin: "dhcp", command: "daemon" }), "info");
  for (const problem of problems) journal.log("warn", problem, {}, `dhcp daemon: ${problem}`);
  return (line, { level = "warn", id } = {}) => {
    const fields = { container: id?.containerId, ifname: id?.ifName, network: id?.network };
    journal.log(level, line, fields, id ? `${attachmentName(id)}: ${line}` : line);
  };
}

/** As `log`, but nothing twice, one behind the other. */
export function unrepeated(log: Log): Log {
  let last = "";
  return (line, about) => {
    if (line !== last) log(line, about);
    last = line;
  };
}

/** As `log`, but for some lines a minute: what comes from the network is not to fill a disk. */
export function sparing(log: Log, scheduler: Scheduler): Log {
  let [since, count] = [scheduler.now(), 0];
  return (line, about) => {
    const now = scheduler.now();
    if (now - since >= MINUTE_MS) [since, count] = [now, 0];
    count++;
    if (count <= MOST_LINES) log(line, about);
    else if (count === MOST_LINES + 1) log(`${MOST_LINES} lines in a minute: the others are left out`);
  };
}
