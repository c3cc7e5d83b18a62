import type { Host } from "../host/host.ts";
import { pluginTypes } from "../plugins/registry.ts";
import { type Arguments, EXIT_FAILURE, EXIT_USAGE, parseArguments, UsageError } from "./arguments.ts";
import { type Command, commonOptions } from "./command.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { errorJson, errorText } from "./report.ts";

const commands: Readonly<Record<string, { about: string; load(): Promise<{ command: Command }> }>> = {
  add: { about: "attach a network namespace to a network", load: () => import("./add.ts") },
  del: { about: "detach it", load: () => import("./del.ts") },
  check: { about: "ask whether an attachment is as it was made", load: () => import("./check.ts") },
  gc: { about: "remove what vanished containers left behind", load: () => import("./gc.ts") },
  status: { about: "ask whether a network is ready", load: () => import("./status.ts") },
  run: { about: "run a command in a new namespace with networks", load: () => import("./run.ts") },
  version: { about: "show the versions of plumb and of CNI", load: () => import("./version.ts") },
};

/** The command `plumb`; `words` are its arguments. Gives the exit code: 0 success, 1 failure, 2 wrong usage. */
export async function main(host: Host, words: readonly string[]): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined) {
    host.stderr(help());
    return EXIT_USAGE;
  }
  if (name === "help" && rest[0] !== undefined) return main(host, [rest[0], "--help"]);
  if (name === "help" || name === "--help" || name === "-h") {
    host.stdout(help());
    return 0;
  }
  if (name === "--version") return main(host, ["version", ...rest]);
  if (!Object.hasOwn(commands, name)) return usageError(host, "plumb", `unknown command "${name}"`);
  const { command } = await commands[name]!.load();
  return runCommand(host, name, command, rest);
}

async function runCommand(
  host: Host,
  name: string,
  command: Command,
  words: readonly string[],
): Promise<number> {
  let args: Arguments | undefined;
  try {
    args = parseArguments(words, { ...command.options, ...commonOptions }, command.ownCommand);
    if (args.has("help")) {
      host.stdout(commandHelp(command));
      return 0;
    }
    const given = args;
    if (!host.variable("PLUMB_TRACE_FILE")) return await command.run(host, args);
    const { traced } = await import("./trace.ts");
    return await traced(host, name, (within) => command.run(within, given));
  } catch (error) {
    if (error instanceof UsageError) return usageError(host, `plumb ${name}`, error.message);
    if (args?.has("json")) host.stdout(`${errorJson(error)}\n`);
    else host.stderr(errorText(error));
    return EXIT_FAILURE;
  }
}

function usageError(host: Host, command: string, message: string): number {
  host.stderr(`${command}: ${message}\nSee "${command} --help".\n`);
  return EXIT_USAGE;
}

function help(): string {
  return generalHelp(
    Object.fromEntries(Object.entries(commands).map(([name, { about }]) => [name, about])),
    pluginTypes,
  );
}
