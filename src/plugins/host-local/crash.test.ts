import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Sys } from "../../host/sys.ts";
import { held, Scratch } from "./scratch.node.ts";

/** Lets the process die before its `after`-th system call: nothing it tries from then on happens. Tells whether it did. */
function killAfter(scratch: Scratch, after: number): () => boolean {
  let left = after;
  let killed = false;
  const open = new Set<number>();
  scratch.override((real) => {
    const die = () => {
      // What the kernel does for the dead.
      for (const fd of open) real.close(fd);
      open.clear();
      killed = true;
      throw new Error("killed");
    };
    const mortal = Object.entries(real).map(([name, call]) => [
      name,
      (...args: never[]) => {
        if (killed || left-- === 0) die();
        const result: unknown = (call as (...args: never[]) => unknown)(...args);
        if (name === "open" && typeof result === "number" && result >= 0) open.add(result);
        if (name === "close") open.delete(args[0] as unknown as number);
        return result;
      },
    ]);
    return Object.fromEntries(mortal) as Sys;
  });
  return () => killed;
}

/** Five addresses in IPv4, of which c0 and c1 hold two, and as many as one likes in IPv6. */
const OPTIONS = { ranges: [[{ subnet: "10.1.0.0/29" }], [{ subnet: "fd00::/64" }]] };

function populate(s: Scratch): void {
  s.add("c0");
  s.add("c1");
}

function put(s: Scratch, address: string, content: string): void {
  mkdirSync(s.directory, { recursive: true });
  writeFileSync(join(s.directory, address), content);
}

const scenarios: Record<string, { prepare(s: Scratch): void; act(s: Scratch): void }> = {
  "the first ADD of all": { prepare: () => {}, act: (s) => s.add("victim") },
  ADD: { prepare: populate, act: (s) => s.add("victim") },
  "ADD beside the reference": {
    prepare(s) {
      populate(s);
      put(s, "10.1.0.4", held("r1"));
      put(s, "fd00::4", "");
    },
    act: (s) => s.add("victim"),
  },
  "ADD on a torn file": {
    prepare(s) {
      populate(s);
      put(s, "10.1.0.4", "");
      s.check("c0");
    },
    act: (s) => s.add("victim"),
  },
  DEL: {
    prepare(s) {
      populate(s);
      s.add("victim");
    },
    act: (s) => s.del("victim"),
  },
  "DEL beside the reference": {
    prepare(s) {
      populate(s);
      put(s, "10.1.0.4", held("victim"));
    },
    act: (s) => s.del("victim"),
  },
  GC: {
    prepare(s) {
      populate(s);
      s.add("victim");
    },
    act: (s) => s.gc("c0", "c1"),
  },
};

/** After whatever happened: what is held stays held, nothing is given twice, and nothing is lost for ever. */
function verify(s: Scratch): void {
  const before = s.files();
  const added = ["a", "b", "c", "d", "e"].flatMap((id) => {
    try {
      return [{ id, addresses: s.add(id) }];
    } catch (error) {
      assert.match((error as Error).message, /no IP addresses available/);
      return [];
    }
  });
  const files = s.files();
  for (const [address, content] of Object.entries(before))
    if (content !== "") assert.equal(files[address], content);
  for (const { id, addresses } of added)
    for (const address of addresses) {
      assert.equal(files[address], held(id));
      assert.ok(!before[address], `${address} was given twice`);
    }
  assert.deepEqual(s.indexed(), Object.keys(files));
  assert.ok(!existsSync(join(s.directory, ".reserving")));
  for (const id of ["c0", "c1", "r1", "victim", "a", "b", "c", "d", "e"]) s.del(id);
  assert.deepEqual(s.files(), {});
  assert.deepEqual(s.indexed(), []);
}

for (const [name, { prepare, act }] of Object.entries(scenarios))
  test(`killed between any two steps of ${name}`, (t) => {
    for (let calls = 0; ; calls++) {
      const s = new Scratch(t, OPTIONS);
      prepare(s);
      const intact = s.host;
      const killed = killAfter(s, calls);
      try {
        act(s);
      } catch (error) {
        if (!killed()) throw error;
      }
      s.host = intact;
      // The runtime cannot know what came of it: it goes on with others, or cleans up first.
      if (!existsSync(s.directory)) mkdirSync(s.directory);
      if (calls % 2 === 0) s.del("victim");
      verify(s);
      rmSync(s.directory, { recursive: true });
      if (!killed()) {
        assert.ok(calls > 10, `only ${calls} system calls`);
        t.diagnostic(`${calls} system calls`);
        return;
      }
    }
  });
