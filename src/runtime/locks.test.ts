import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type LockContext, withAllContainers, withContainer } from "./locks.ts";
import { spawnedPrograms } from "./programs.node.ts";
import { Scripted } from "./scripted.node.ts";

function setUp(t: TestContext, lockTimeoutMs = 20_000) {
  const { host, dir } = new Scripted(t);
  const context: LockContext = { host, programs: spawnedPrograms(), cacheDir: dir, lockTimeoutMs };
  const events: string[] = [];
  /** Work that says when it begins, and ends when it is told to. */
  const job = (name: string, run: (work: () => Promise<void>) => Promise<void>) => {
    let end = () => {};
    const told = new Promise<void>((resolve) => (end = resolve));
    let begin = () => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const done = run(async () => {
      events.push(`${name} begins`);
      begin();
      await told;
      events.push(`${name} ends`);
    });
    return { begun, end, done };
  };
  const on = (id: string) => job(id, (work) => withContainer(context, id, `ADD of ${id}`, work));
  const gc = () => job("gc", (work) => withAllContainers(context, "GC of net1", work));
  const locks = () => readdirSync(join(dir, "plumb/locks/containers"));
  return { context, events, on, gc, locks };
}

test("one container's operations come one after the other, others' at the same time", async (t) => {
  const { events, on, locks } = setUp(t);
  const first = on("c1");
  await first.begun;
  const second = on("c1");
  const other = on("c2");
  await other.begun;
  assert.deepEqual(events, ["c1 begins", "c2 begins"]);
  assert.deepEqual(locks().sort(), ["c1", "c2"]);
  first.end();
  await second.begun;
  second.end();
  other.end();
  await Promise.all([first.done, second.done, other.done]);
  assert.deepEqual(events.slice(2, 4), ["c1 ends", "c1 begins"]);
  assert.deepEqual(locks(), []);
});

test("GC waits for who is there and goes before who comes later", async (t) => {
  const { events, on, gc } = setUp(t);
  const early = on("c1");
  await early.begun;
  const collection = gc();
  const late = on("c2");
  early.end();
  await collection.begun;
  assert.deepEqual(events, ["c1 begins", "c1 ends", "gc begins"]);
  collection.end();
  await late.begun;
  late.end();
  await Promise.all([early.done, collection.done, late.done]);
  assert.deepEqual(events.slice(3), ["gc ends", "c2 begins", "c2 ends"]);
});

test("many on one container never overlap", async (t) => {
  const { context } = setUp(t);
  let inside = 0;
  const most: number[] = [];
  const work = async () => {
    most.push(++inside);
    await context.programs.sleep(1);
    inside--;
  };
  await Promise.all(Array.from({ length: 30 }, () => withContainer(context, "c1", "ADD", work)));
  assert.deepEqual(most, Array(30).fill(1));
});

test("who waits too long is told what holds the lock", async (t) => {
  const { on, gc } = setUp(t, 30);
  const first = on("c1");
  await first.begun;
  const holder = new RegExp(`process ${process.pid}: ADD of c1`);
  await assert.rejects(on("c1").done, { code: 11, details: holder });
  await assert.rejects(gc().done, { code: 11, details: holder });
  first.end();
  await first.done;
  const collection = gc();
  await collection.begun;
  await assert.rejects(on("c1").done, { code: 11, details: /GC of net1/ });
  collection.end();
  await collection.done;
});

test("an error in the work frees the locks", async (t) => {
  const { context, locks } = setUp(t);
  const fail = async () => {
    throw new Error("x");
  };
  await assert.rejects(withContainer(context, "c1", "ADD", fail), { message: "x" });
  await assert.rejects(withAllContainers(context, "GC", fail), { message: "x" });
  await withContainer(context, "c1", "ADD", async () => {});
  assert.deepEqual(locks(), []);
});
