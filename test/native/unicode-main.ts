// A program that tells what it makes of characters beyond ASCII.
import { table } from "../../src/host/engine.ts";
import { Host } from "../../src/host/host.ts";

function failureOf(work: () => unknown): string {
  try {
    return `no error: ${work()}`;
  } catch (error) {
    return `${error}`.replace(/ at .*/, "");
  }
}

const atRunTime = (pattern: string, flags: string) => new RegExp(pattern, flags);

export async function main(): Promise<number> {
  const text = "1 é β 🙂";
  const seen = {
    written: [/\p{L}/u, /\p{Script=Greek}/u, /\p{Emoji_Presentation}/u].map((each) => each.exec(text)?.[0]),
    ignoringCase: atRunTime("É", "iu").test(text),
    cases: `${"éß".toUpperCase()} ${"É".toLowerCase()}`,
    sorted: ["é", "b", "a"].sort((a, b) => a.localeCompare(b)),
    same: text.localeCompare(text),
    propertyAtRunTime: failureOf(() => atRunTime("\\p{L}", "u")),
    normalize: failureOf(() => "é".normalize("NFD")),
  };
  new Host(table()).stdout(JSON.stringify(seen));
  return 0;
}
