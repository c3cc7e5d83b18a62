import { CLOCK_REALTIME, type Host } from "../host/host.ts";
import { appendLine } from "./append.ts";
import { isWithin, type Level } from "./level.ts";
import { type Fields, logfmt } from "./logfmt.ts";
import { sayOnStderr } from "./one-line.ts";
import type { LogSettings } from "./settings.ts";

/**
 * The log of one call or one daemon. With a file, this has all lines down to the level (by itself "info"), and stderr the
 * problems among them; without one, stderr has all down to the level (by itself "warn").
 */
export class Journal {
  settings: LogSettings;
  readonly #host: Host;
  /** Of every line in the file. */
  readonly #fields: () => Fields;
  /** Before every line on stderr, with its end: `plumb: bridge: `. */
  readonly #prefix: string;
  readonly #standard: Level;
  #complained = false;

  constructor(
    host: Host,
    settings: LogSettings,
    prefix: string,
    fields: () => Fields,
    standard: Level = "warn",
  ) {
    this.settings = settings;
    this.#host = host;
    this.#prefix = prefix;
    this.#fields = fields;
    this.#standard = standard;
  }

  /** Whether somebody wants lines of this level. */
  wants(level: Level): boolean {
    const { logFile, logLevel } = this.settings;
    return isWithin(level, logLevel ?? (logFile === undefined ? this.#standard : "info"));
  }

  /** A line: `msg` and `more` for the file, `said` for stderr, "" if that is not to have it. */
  log(level: Level, msg: string, more: Fields = {}, said = msg): void {
    if (!this.wants(level)) return;
    const { logFile } = this.settings;
    if (logFile !== undefined)
      this.append(
        "a log",
        logFile,
        logfmt(this.#host.clock(CLOCK_REALTIME), level, msg, { ...this.#fields(), ...more }),
      );
    if (said !== "" && (logFile === undefined || isWithin(level, "warn"))) this.say(said);
  }

  say(text: string): void {
    sayOnStderr(this.#host, `${this.#prefix}${text}`);
  }

  /** Appends to a file; that it cannot is told once. */
  append(what: "a log" | "spans", path: string, line: string): void {
    const problem = appendLine(this.#host, path, line);
    if (problem === undefined || this.#complained) return;
    this.#complained = true;
    this.say(`${what} cannot be written: ${problem}`);
  }
}
