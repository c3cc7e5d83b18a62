import type { Case, Level, Setting } from "./case.ts";
import { fileCases } from "./files.ts";
import { namespaceCases } from "./namespaces.ts";
import { processCases } from "./processes.ts";
import { socketCases } from "./sockets.ts";
import { surroundingsCases } from "./surroundings.ts";
import { textCases } from "./text.ts";

/** Everything that Host and its table of system calls promise. The same on Node, in the engine and on the fake. */
export const contract: readonly Case[] = [
  ...fileCases,
  ...processCases,
  ...namespaceCases,
  ...socketCases,
  ...surroundingsCases,
  ...textCases,
];

const LEVELS: readonly Level[] = ["fake", "kernel", "alone"];

/** The cases that an implementation of this level must pass. */
export function casesFor(level: Level): Case[] {
  return contract.filter((one) => LEVELS.indexOf(one.level) <= LEVELS.indexOf(level));
}

/** Runs the cases of a level, each in a directory of its own below `directory`, and reports each. */
export function hostContract(
  { host, directory }: Setting,
  level: Level,
  report: (name: string, failure: string | undefined) => void,
): void {
  for (const [index, { name, run }] of casesFor(level).entries()) {
    const own = `${directory}/${index}`;
    let failure: string | undefined;
    try {
      host.makeDirectories(own);
      run({ host, directory: own });
    } catch (error) {
      failure = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
    }
    report(name, failure);
  }
}
