import type { Host } from "../host/host.ts";
import type { Arguments, Options } from "./arguments.ts";

/** A subcommand. Each is in a file of its own, which is loaded when it is asked for. */
export interface Command {
  /** How to call it, behind `plumb`: `add [OPTION...] NETWORK NETNS`. */
  readonly usage: string;
  /** What it does, in paragraphs of lines below 80 characters. */
  readonly about: string;
  readonly options: Options;
  /** The first operand ends the options. */
  readonly ownCommand?: true;
  /** The exit code. What is thrown is reported by the caller. */
  run(host: Host, args: Arguments): Promise<number>;
}

/** Options that every command has. */
export const commonOptions: Options = {
  json: { help: "print JSON, errors too" },
  help: { short: "h", help: "show this help" },
};

/** Whether to print for people: on a terminal, unless JSON was asked for. */
export function forPeople(host: Host, args: Arguments): boolean {
  return !args.has("json") && host.sys.isatty(1) === 1;
}
