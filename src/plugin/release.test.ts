import assert from "node:assert/strict";
import { test } from "node:test";
import { delAndRelease, gcAndRelease } from "./release.ts";
import type { Cleanup, Releases } from "./types.ts";

const rows: [releases: Releases | undefined, del: string[], gc: string[]][] = [
  [undefined, ["delete"], ["delete"]],
  ["last", ["delete", "release the addresses", "del"], ["delete", "release stale addresses", "gc"]],
  ["first", ["release the addresses", "del", "delete"], ["release stale addresses", "gc", "delete"]],
];
test("addresses are given back behind the interface, or before it where IPAM wants that", () => {
  for (const [releases, del, gc] of rows) {
    const told: string[] = [];
    const cleanup: Cleanup = {
      step(what, step) {
        told.push(what);
        step();
      },
    };
    const ipam = releases && { releases, del: () => void told.push("del"), gc: () => void told.push("gc") };
    const request = { ...(ipam && { ipam }) };
    const remove = () => void told.push("delete");
    delAndRelease(request, cleanup, remove);
    assert.deepEqual(told.splice(0), del);
    gcAndRelease(request, cleanup, remove);
    assert.deepEqual(told, gc);
  }
});
