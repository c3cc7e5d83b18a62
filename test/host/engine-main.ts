// The contract of Host in the engine: a program of its own. Arguments: its name, an empty directory.
// One line of JSON a case, [name, failure], failure null for none.
import { table } from "../../src/host/engine.ts";
import { Host } from "../../src/host/host.ts";
import { hostContract } from "./contract.ts";

export async function main(): Promise<number> {
  const host = new Host(table());
  hostContract({ host, directory: host.argv()[1]! }, "alone", (name, failure) =>
    host.stdout(`${JSON.stringify([name, failure ?? null])}\n`),
  );
  return 0;
}
