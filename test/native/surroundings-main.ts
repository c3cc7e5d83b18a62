// A program that tells what it was started with: its arguments, and the first descriptor that it opens.
import { table } from "../../src/host/engine.ts";
import { Host, O_RDONLY } from "../../src/host/host.ts";

export async function main(): Promise<number> {
  const host = new Host(table());
  const descriptor = host.open("/proc/self/stat", O_RDONLY);
  host.stdout(JSON.stringify({ argv: host.argv(), descriptor }));
  return 0;
}
