import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Attachments } from "../../src/dhcp/attachments.ts";
import { listen } from "../../src/dhcp/listener.ts";
import type { Watch } from "../../src/dhcp/loop.ts";
import { Server } from "../../src/dhcp/server.ts";
import type { SourceEvents } from "../../src/dhcp/source.ts";
import { Store } from "../../src/dhcp/store.ts";
import { VirtualScheduler } from "../../src/dhcp/virtual.node.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

/** Time passes when the test says so, and whoever watches looks whether there is something to read. */
class Turns extends VirtualScheduler {
  readonly #watches = new Map<object, () => void>();

  override watch(_fd: number, callback: () => void): Watch {
    const watch = { stop: () => this.#watches.delete(watch) };
    this.#watches.set(watch, callback);
    return watch;
  }

  get watches(): number {
    return this.#watches.size;
  }

  turn(): void {
    for (const [watch, callback] of [...this.#watches]) if (this.#watches.has(watch)) callback();
    this.advance(0);
  }
}

/** A daemon's server at a socket, with a namespace in which `lo` can be attached. */
class Bench {
  readonly space: TestNamespace;
  readonly scheduler = new Turns();
  readonly lines: string[] = [];
  readonly sources: { said: string[]; events: SourceEvents }[] = [];
  /** Has another server accept from this descriptor. */
  readonly serve: (fd: number) => void;
  readonly #path: string;
  #adds = 0;

  constructor(t: TestContext, descriptors = 1024) {
    this.space = new TestNamespace(t);
    const directory = mkdtempSync(join(tmpdir(), "plumb-server-"));
    this.#path = join(directory, "dhcp.sock");
    const { host } = this.space;
    const listener = listen(host, this.#path);
    t.after(() => {
      listener.close();
      rmSync(directory, { recursive: true });
    });
    const work = { host, scheduler: this.scheduler, log: (line: string) => this.lines.push(line) };
    const attachments = new Attachments({
      ...work,
      ...{ store: Store.open(host, join(directory, "leases")), hostPrefix: "", broadcast: false },
      ...{ patience: 200_000, timing: { timeout: 1, resendMax: 1, probe: 0 } },
      openSource: (_family, _context, events) => {
        const said: string[] = [];
        this.sources.push({ said, events });
        const note = (word: string) => () => void said.push(word);
        return { start: note("start"), release: note("release"), stop: note("stop") };
      },
    });
    this.serve = (fd) => void new Server(work, attachments, fd, descriptors);
    this.serve(listener.fd);
  }

  /** A plugin's end of a connection. */
  connect(...texts: string[]): number {
    const { host } = this.space;
    const fd = host.sys.socket(-1, 1, 1, 0);
    assert.equal(host.sys.connect(fd, Uint8Array.of(1, 0, ...host.encode(this.#path), 0), 0), 0);
    // It is accepted in one turn, and read from the next.
    this.scheduler.turn();
    for (const piece of texts.flatMap((text) => text.match(/.{1,4096}/gs) ?? [])) {
      host.write(fd, host.encode(piece));
      this.scheduler.turn();
    }
    return fd;
  }

  /** What the daemon has sent by now, undefined if it has not hung up behind it; then the plugin hangs up. */
  answer(fd: number): string | undefined {
    const { host } = this.space;
    const bytes = host.sys.readall(fd, 1 << 24, 0);
    host.close(fd);
    this.scheduler.turn();
    return typeof bytes === "number" ? undefined : host.decode(bytes);
  }

  ask(...texts: string[]): string | undefined {
    const fd = this.connect(...texts);
    this.scheduler.turn();
    return this.answer(fd);
  }

  /** Each in a namespace of its own, as far as paths tell. */
  add(containerId: string): string {
    const wish = { ipv4: "dhcp", ipv6: "none", request: [], provide: [], broadcast: false, mtu: false };
    const netns = `/run/netns/${"./".repeat(this.#adds++)}${this.space.name}`;
    return `${JSON.stringify({ command: "ADD", containerId, network: "lan", ifName: "lo", netns, wish })}\n`;
  }
}

const STATUS = '{"command":"STATUS"}\n';

test("a line is answered by a line, in however many pieces it comes", (t) => {
  const bench = new Bench(t);
  assert.equal(bench.ask(STATUS), '{"result":{}}\n');
  assert.equal(bench.ask(...STATUS), '{"result":{}}\n');
  const utf8 = bench.ask('{"command":"CHECK","network":"n","ifName":"e","containerId":"', "ä", 'c"}\n');
  assert.equal(utf8, '{"error":{"code":100,"msg":"äc/n/e is not known to the DHCP daemon"}}\n');
  assert.equal(bench.ask('{"command":"LIST"}\n{"command":"STATUS"}\n'), '{"result":{"attachments":[]}}\n');
});

test("what is no request is answered with code 6", (t) => {
  const bench = new Bench(t);
  for (const text of ["\n", "GET / HTTP/1.0\n", "[]\n", "{\n", "\0\n", `"${"x".repeat(2 ** 20 - 1)}`]) {
    const answer = bench.ask(text);
    assert.match(
      answer ?? "",
      /^{"error":{"code":6,"msg":"malformed request to the DHCP daemon: /,
      text.slice(0, 20),
    );
  }
});

test("the plugin of the reference is told whose daemon this is", (t) => {
  const answer = new Bench(t).ask("CONNECT /_goRPC_ HTTP/1.0\n\n");
  assert.match(answer ?? "", /^HTTP\/1\.0 400 this is the DHCP daemon of plumb: .*\r\n\r\n$/);
});

test("who is slow or silent is cut after half a minute, who waits for a lease is not", (t) => {
  const bench = new Bench(t);
  const [silent, slow, waiting] = [bench.connect(), bench.connect('{"comm'), bench.connect(bench.add("c1"))];
  bench.scheduler.turn();
  bench.scheduler.advance(29_999);
  assert.equal(bench.scheduler.idle, false);
  bench.scheduler.advance(1);
  assert.deepEqual([bench.answer(silent), bench.answer(slow)], ["", ""]);
  const { events } = bench.sources[0]!;
  events.bound({ settings: {}, renewAt: 1e9, expiresAt: 2e9, memory: {} });
  assert.equal(bench.answer(waiting), '{"result":{}}\n');
});

test("a plugin that hangs up while it waits does not want the lease any more", (t) => {
  const bench = new Bench(t);
  assert.equal(bench.ask(bench.add("c1")), undefined);
  bench.scheduler.turn();
  assert.deepEqual(bench.sources[0]!.said, ["start", "release"]);
  // It hung up a moment before its answer was sent.
  bench.space.host.close(bench.connect(bench.add("c2")));
  bench.sources[1]!.events.bound({ settings: {}, renewAt: 1e9, expiresAt: 2e9, memory: {} });
  bench.scheduler.turn();
  assert.deepEqual(bench.sources[1]!.said, ["start", "release"]);
  assert.equal(bench.ask('{"command":"LIST"}\n'), '{"result":{"attachments":[]}}\n');
});

test("as many are let in as there is room for, the others wait", (t) => {
  const bench = new Bench(t, 64 + 3 * 6);
  const waiting = [1, 2, 3].map((number) => bench.connect(bench.add(`c${number}`)));
  const late = bench.connect(STATUS);
  bench.scheduler.turn();
  assert.equal(bench.sources.length, 3);
  assert.deepEqual(bench.lines, ["3 requests are worked on: more must wait (raise the limit of open files)"]);
  bench.space.host.close(waiting[0]!);
  for (let turn = 0; turn < 3; turn++) bench.scheduler.turn();
  assert.equal(bench.answer(late), '{"result":{}}\n');
  for (const fd of waiting.slice(1)) bench.space.host.close(fd);
  bench.scheduler.turn();
  assert.equal(bench.lines.filter((line) => line.includes("must wait")).length, 1, "it is said once");
});

test("what cannot be accepted is told once, and tried again in a second", (t) => {
  const bench = new Bench(t);
  const { host } = bench.space;
  const fd = host.sys.socket(-1, 1, 1, 0);
  bench.serve(fd);
  for (let turn = 0; turn < 3; turn++) bench.scheduler.turn();
  assert.deepEqual([bench.lines, bench.scheduler.watches], [["requests must wait: accept: EINVAL"], 1]);
  bench.scheduler.advance(1_000);
  assert.deepEqual([bench.lines.length, bench.scheduler.watches], [1, 2]);
  host.close(fd);
});

test("an answer that no socket holds at once is sent piece by piece", (t) => {
  const bench = new Bench(t);
  const long = "c".repeat(2_000);
  for (let number = 0; number < 200; number++) {
    const fd = bench.connect(bench.add(`${long}${number}`));
    bench.sources.at(-1)!.events.bound({ settings: {}, renewAt: 1e9, expiresAt: 2e9, memory: {} });
    assert.equal(bench.answer(fd), '{"result":{}}\n');
  }
  const { host } = bench.space;
  const fd = bench.connect('{"command":"LIST"}\n');
  const piece = new Uint8Array(1 << 16);
  let text = "";
  for (let length = 1; length > 0; ) {
    length = host.sys.read(fd, piece, 0);
    if (length > 0) text += host.decode(piece.subarray(0, length));
    else if (length < 0) length = 1;
    bench.scheduler.advance(5);
  }
  host.close(fd);
  assert.equal(JSON.parse(text).result.attachments.length, 200);
});
