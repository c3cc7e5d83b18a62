import { parseArgs } from "node:util";
import { openHost } from "../src/host/node.node.ts";
import { bridge } from "./bridge.ts";
import { dhcp } from "./dhcp.ts";
import type { Figure } from "./figure.ts";
import { hostLocal } from "./host-local.ts";
import { memory } from "./memory.ts";
import { PLUGIN_QUESTIONS, pluginQuestion } from "./plugins.ts";
import { portGrowth } from "./port-growth.ts";
import { ptp } from "./ptp.ts";
import { json, table } from "./report.ts";
import { runtimes } from "./runtimes.ts";
import { size } from "./size.ts";
import { version } from "./version.ts";
import { describeMachine, enterNamespaces, makeWorld, type World } from "./world.ts";

const QUESTIONS: Record<string, (world: World) => Figure[] | Promise<Figure[]>> = {
  version,
  bridge,
  ptp,
  "host-local": hostLocal,
  ...Object.fromEntries(PLUGIN_QUESTIONS.map((type) => [type, pluginQuestion(type)])),
  "portmap-growth": portGrowth,
  dhcp,
  memory,
  size,
  runtimes,
};

const HELP = `Usage: npm run bench [-- OPTION...]

  --runs N     samples a figure (default 40)
  --only NAME  one question: ${Object.keys(QUESTIONS).join(", ")}; may be repeated
  --json       for machines

PLUMB names another executable than dist/plumb, REFERENCE another folder than /usr/lib/cni.
`;

/** Gives the exit code: 0, also when a target is missed; 1 if a question found no answer; 2 for wrong usage. */
export async function main(args: string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const exitCode = enterNamespaces(args);
  if (exitCode !== undefined) return exitCode;
  const world = makeWorld(openHost(), options.runs);
  let failed = false;
  const figures: Figure[] = [];
  for (const name of options.names) {
    if (process.stderr.isTTY) process.stderr.write(`${name}…\n`);
    try {
      figures.push(...(await QUESTIONS[name]!(world)));
    } catch (error) {
      failed = true;
      process.stderr.write(`${name} was not measured: ${(error as Error).message}\n`);
    }
  }
  process.stdout.write((options.json ? json : table)(describeMachine(world), figures));
  return failed ? 1 : 0;
}

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: "string", default: "40" },
      only: { type: "string", multiple: true },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${values.runs}: not a number of samples`);
  const names = values.only ?? Object.keys(QUESTIONS);
  for (const name of names) if (!(name in QUESTIONS)) throw new Error(`--only ${name}: no such question`);
  return { ...values, runs, names };
}
