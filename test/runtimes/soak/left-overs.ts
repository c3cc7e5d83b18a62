// Whose it is what is left over, and whether the runtime has done its part.
import type { Living } from "./living.ts";
import type { Call } from "./traps.ts";

export interface LeftOvers {
  /** IDs and names of containers that had no DEL since their ADD which came to its end: only GC can get what they left. */
  readonly forgotten: ReadonlyMap<string, string>;
  /** Lines that should not be there: of containers whose DEL was called, or of nobody. */
  readonly unknown: readonly string[];
}

export function leftOvers(
  over: readonly string[],
  calls: readonly Call[],
  living: readonly Living[],
): LeftOvers {
  const neglected = withoutDel(calls);
  for (const { id } of living) neglected.delete(id);
  const idsOf = tokens(over, [...neglected.keys()]);
  const forgotten = new Map<string, string>();
  const unknown = over.filter((line) => {
    // The runtime makes and removes it.
    if (line.startsWith("namespace ")) return false;
    const id = [...idsOf].find(([word]) => standsIn(line, word))?.[1];
    if (id !== undefined) forgotten.set(id, neglected.get(id)!);
    return id === undefined;
  });
  return { forgotten, unknown };
}

/** IDs, with their names, of which a plugin had an ADD, and no DEL after it that was not killed. */
function withoutDel(calls: readonly Call[]): Map<string, string> {
  const open = new Map<string, Call>();
  for (const call of calls) {
    const key = `${call.plugin} ${call.id} ${call.ifName}`;
    if (call.verb === "ADD") open.set(key, call);
    else if (!call.killed) open.delete(key);
  }
  return new Map([...open.values()].map(({ id, name }) => [id, name]));
}

const WORD = /(?<=[/ "])((\d+\.){3}\d+|fd90::[0-9a-f]+)(?=[/ "])|CNI-[0-9a-f]{24}|CNI-DN-[0-9a-f]{21}/g;
const SUBNET = /\.0\.0$/;

/** By which words a line is a container's: its ID, and addresses and names of chains that stand in a line with that. */
function tokens(over: readonly string[], ids: readonly string[]): Map<string, string> {
  const found = new Map(ids.map((id) => [id, id]));
  for (const line of over) {
    const id = ids.find((each) => line.includes(each));
    if (id === undefined) continue;
    for (const [word] of line.matchAll(WORD)) if (!SUBNET.test(word)) found.set(word, id);
  }
  return found;
}

/** As a whole: 10.90.0.2 is not in 10.90.0.21. */
function standsIn(line: string, word: string): boolean {
  const place = line.indexOf(word);
  return place >= 0 && !/[0-9a-f]/.test(line[place + word.length] ?? "");
}
