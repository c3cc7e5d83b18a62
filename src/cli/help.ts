import type { Options } from "./arguments.ts";
import { type Command, commonOptions } from "./command.ts";

const EXIT_CODES = `Exit codes:
  0  success
  1  failure
  2  wrong usage`;

/** `plumb --help`. `commands` are their names with a line about each. */
export function generalHelp(
  commands: Readonly<Record<string, string>>,
  pluginTypes: readonly string[],
): string {
  return `Usage: plumb COMMAND [ARGUMENT...]
       plumb PLUGIN

Container networking by the CNI specification.

Commands:
${columns(Object.entries(commands))}

"plumb COMMAND --help" tells more of one.

${EXIT_CODES}

Called by the name of a plugin, or with it as first argument, plumb is that plugin:
  ${pluginTypes.join(" ")}
`;
}

/** `plumb COMMAND --help`. */
export function commandHelp({ usage, about, options }: Command): string {
  return `Usage: plumb ${usage}

${about.trim()}

Options:
${columns(optionLines({ ...options, ...commonOptions }))}
${about.includes("Exit codes:") ? "" : `\n${EXIT_CODES}\n`}`;
}

function optionLines(options: Options): [string, string][] {
  return Object.entries(options).map(([name, { short, value, help }]) => [
    `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`,
    help,
  ]);
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}
