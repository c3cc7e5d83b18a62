// A program with a fault, chosen by its first argument, that nobody catches.
import { table } from "../../src/host/engine.ts";
import { Host } from "../../src/host/host.ts";

class Fault extends Error {
  override name = "Fault";
}

const faults: Readonly<Record<string, () => unknown>> = {
  exception: () => {
    throw new Fault("thrown");
  },
  rejection: () => {
    void Promise.reject(new Fault("rejected"));
  },
  "late rejection": () => {
    void Promise.resolve().then(() => {
      throw new Fault("rejected late");
    });
  },
  "handled rejections": () => {
    const rejected = Promise.reject(new Fault("handled"));
    void Promise.reject(new Fault("handled too")).catch(() => 0);
    return rejected.catch(() => 0);
  },
  recursion: function deeper(): number {
    return 1 + (deeper() as number);
  },
  memory: () => {
    const kept: Uint8Array[] = [];
    for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
  },
  objects: () => {
    let chain: object = {};
    for (;;) chain = { chain, text: `${kept++}` };
  },
  "no error object": () => {
    throw "just text";
  },
  "wrong type": () => host.sys.close("3" as never),
};
let kept = 0;

const host = new Host(table());

export async function main(): Promise<number> {
  await faults[host.argv()[1]!]!();
  return 0;
}
