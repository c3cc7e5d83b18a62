import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Loop } from "../../src/dhcp/loop.ts";
import { type Host, O_RDWR } from "../../src/host/host.ts";
import { openHost } from "../../src/host/node.node.ts";

const host = openHost();

/** A FIFO open for both, so that what is written can be read from the same descriptor. */
function pipe(t: TestContext): number {
  const directory = mkdtempSync(join(tmpdir(), "plumb-loop-"));
  t.after(() => rmSync(directory, { recursive: true }));
  execFileSync("mkfifo", [join(directory, "fifo")]);
  const fd = host.open(join(directory, "fifo"), O_RDWR);
  t.after(() => host.close(fd));
  return fd;
}

/** A loop that ends at the latest when a test must have failed. */
function newLoop(failures: unknown[] = []): Loop {
  const loop = new Loop(host, (error) => failures.push(error));
  loop.after(20_000, () => {
    failures.push(new Error("nobody stopped the loop"));
    loop.stop();
  });
  return loop;
}

function read(from: Host, fd: number): string {
  const into = new Uint8Array(100);
  const length = from.sys.read(fd, into, 0);
  return length < 0 ? `error ${length}` : from.decode(into.subarray(0, length));
}

test("timers are called in their order and not too early, what is at once comes first", () => {
  const loop = newLoop();
  const called: string[] = [];
  const start = loop.now();
  let late = -1;
  loop.after(30, () => {
    late = loop.now() - start;
    loop.stop();
  });
  loop.after(10, () => called.push("later"));
  loop.after(-5, () => {
    called.push("at once");
    loop.after(0, () => called.push("next"));
  });
  assert.deepEqual(called, [], "nothing is called before the loop runs");
  loop.run();
  assert.deepEqual(called, ["at once", "next", "later"]);
  assert.ok(late >= 30, `${late} ms`);
});

test("whoever watches is called for as long as there is something to read", (t) => {
  const loop = newLoop();
  const [first, second] = [pipe(t), pipe(t)];
  const seen: string[] = [];
  loop.watch(first, () => {
    seen.push(read(host, first));
    host.write(second, host.encode(`after ${seen.length}`));
  });
  loop.watch(second, () => {
    seen.push(read(host, second));
    if (seen.length < 6) host.write(first, host.encode(`again ${seen.length}`));
    else loop.stop();
  });
  host.write(first, host.encode("begin"));
  loop.run();
  assert.deepEqual(seen, ["begin", "after 1", "again 2", "after 3", "again 4", "after 5"]);
});

test("who is not watched any more is not called, though it was ready in the same turn", (t) => {
  const loop = newLoop();
  const fds = [pipe(t), pipe(t)];
  const called: number[] = [];
  const watches = fds.map((fd, index) =>
    loop.watch(fd, () => {
      called.push(index);
      for (const watch of watches) watch.stop();
      loop.after(5, () => loop.stop());
    }),
  );
  for (const fd of fds) host.write(fd, host.encode("x"));
  loop.run();
  assert.deepEqual(called, [0]);
});

test("a descriptor that is watched anew in a callback is told of in the next turn", (t) => {
  const loop = newLoop();
  const fd = pipe(t);
  let turns = 0;
  const again = () => {
    watch.stop();
    if (++turns === 3) loop.stop();
    else watch = loop.watch(fd, again);
  };
  let watch = loop.watch(fd, again);
  host.write(fd, host.encode("x"));
  loop.run();
  assert.equal(turns, 3);
});

test("many timers that are due at once do not keep those waiting who can be read", (t) => {
  const loop = newLoop();
  const fd = pipe(t);
  let called = 0;
  let before = 0;
  loop.watch(fd, () => {
    read(host, fd);
    before = called;
  });
  for (let number = 0; number < 20; number++)
    loop.after(0, () => {
      called++;
      host.write(fd, host.encode("x"));
      for (const start = loop.now(); loop.now() < start + 3; );
      if (called === 20) loop.stop();
    });
  loop.run();
  assert.equal(called, 20);
  assert.ok(before > 0, "it was not read before all were called");
});

test("what callbacks throw is told, and the loop goes on", (t) => {
  const failures: unknown[] = [];
  const loop = newLoop(failures);
  const fd = pipe(t);
  const errors = [new Error("timer"), new Error("watch")];
  loop.after(0, () => {
    throw errors[0];
  });
  loop.after(1, () => host.write(fd, host.encode("x")));
  loop.watch(fd, () => {
    read(host, fd);
    loop.after(0, () => loop.stop());
    throw errors[1];
  });
  loop.run();
  assert.deepEqual(failures, errors);
});

test("a thousand timers and a hundred descriptors, half of them cancelled", (t) => {
  const loop = newLoop();
  let called = 0;
  const timers = Array.from({ length: 1000 }, (_, index) => loop.after(index % 7, () => called++));
  for (const [index, timer] of timers.entries()) if (index % 2 === 0) timer.cancel();
  const fds = Array.from({ length: 100 }, () => pipe(t));
  let readable = 0;
  const watches = fds.map((fd) =>
    loop.watch(fd, () => {
      read(host, fd);
      readable++;
    }),
  );
  for (const [index, fd] of fds.entries()) {
    if (index % 2 === 0) watches[index]!.stop();
    host.write(fd, host.encode("x"));
  }
  loop.after(50, () => loop.stop());
  loop.run();
  assert.deepEqual([called, readable], [500, 50]);
});
