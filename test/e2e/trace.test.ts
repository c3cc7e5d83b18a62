import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type * as library from "../../src/runtime/index.node.ts";
import { plumb } from "../programs.ts";
import { type Asked, ask, type Environment, succeeded, variables } from "./ask.ts";
import { isOneTree, pathTo, readSpans, spanNamed } from "./spans.ts";
import { type Json, type Outcome, World } from "./world.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const SAMPLED = `00-${TRACE}-${SPAN}-01`;
const [INTERNAL, SERVER, CLIENT] = [1, 2, 3];

const HOST_LOCAL = { type: "host-local", subnet: "10.1.0.0/24" };
const BRIDGE = { type: "bridge", bridge: "br0", isGateway: true, ipam: HOST_LOCAL };
const PORTMAP = { type: "portmap", backend: "nftables", capabilities: { portMappings: true } };
const CAP_ARGS = '{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}';

class Setting {
  readonly world: World;
  readonly file: string;

  private constructor(world: World) {
    this.world = world;
    this.file = join(world.bin, "spans.json");
    world.container();
  }

  static async start(t: TestContext): Promise<Setting> {
    return new Setting(await World.start(t));
  }

  call(verb: string, config: Json, env: Environment = {}): Asked {
    const stdin = { cniVersion: "1.1.0", name: "net", ...config };
    return ask(this.world, config.type, { ...variables(this.world, verb), ...env }, stdin);
  }

  /** The command plumb, on a network of these plugins. */
  plumb(words: readonly string[], plugins: readonly Json[], env: Record<string, string>): Outcome {
    const NETCONFPATH = join(this.world.bin, "net.d");
    mkdirSync(NETCONFPATH, { recursive: true });
    writeFileSync(
      join(NETCONFPATH, "net.conflist"),
      JSON.stringify({ cniVersion: "1.1.0", name: "net", plugins }),
    );
    return this.world.exec([plumb, ...words], {
      env: { NETCONFPATH, CNI_PATH: this.world.bin, ...(plugins.includes(PORTMAP) && { CAP_ARGS }), ...env },
    });
  }

  /** A plugin that writes the trace context that it sees to a file, and gives an address. */
  witness(type: string): () => Record<string, string> {
    const path = join(this.world.bin, type);
    const result = `{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.2/24"}]}`;
    writeFileSync(
      path,
      `#!/bin/sh\nenv | grep -E '^(TRACE|BAGGAGE)' > ${path}.seen\ntest $CNI_COMMAND != ADD || echo '${result}'\n`,
    );
    chmodSync(path, 0o755);
    return () =>
      Object.fromEntries(
        readFileSync(`${path}.seen`, "utf8")
          .trim()
          .split("\n")
          .filter(Boolean)
          .map((line) => line.split(/=(.*)/s)),
      );
  }
}

describe("spans", () => {
  test("of plumb add: a tree from the command down to what the plugins do", async (t) => {
    const s = await Setting.start(t);
    const { code, stderr } = s.plumb(["add", "net", "/run/netns/c1"], [BRIDGE, PORTMAP], {
      PLUMB_TRACE_FILE: s.file,
    });
    assert.deepEqual([code, stderr], [0, ""]);
    const spans = readSpans(s.file);
    isOneTree(spans);
    const paths: [name: string, kind: number, path: string[]][] = [
      ["plumb add", INTERNAL!, ["plumb add"]],
      ["network ADD", INTERNAL!, ["plumb add", "network ADD"]],
      ["bridge ADD", SERVER!, ["plumb add", "network ADD", "bridge ADD", "bridge ADD"]],
      ["portmap ADD", SERVER!, ["plumb add", "network ADD", "portmap ADD", "portmap ADD"]],
      [
        "host-local ADD",
        INTERNAL!,
        ["plumb add", "network ADD", "bridge ADD", "bridge ADD", "host-local ADD"],
      ],
    ];
    for (const [name, kind, path] of paths)
      assert.deepEqual(pathTo(spans, spanNamed(spans, name, kind)), path);
    const [asked, answered] = [CLIENT, SERVER].map((kind) => spanNamed(spans, "bridge ADD", kind));
    assert.equal(answered!.parentSpanId, asked!.spanId);
    assert.notEqual(answered!.pid, asked!.pid);
    const { "cni.container.id": id, ...about } = answered!.attributes;
    assert.match(`${id}`, /^cnitool-/);
    assert.deepEqual(about, {
      ...{ "cni.plugin": "bridge", "cni.command": "ADD", "cni.ifname": "eth0", "cni.network": "net" },
      ...{ "cni.netns": "/run/netns/c1", "cni.version": "1.1.0" },
    });
    assert.deepEqual([answered!.status, answered!.events], [{}, []]);
    // What the kernel was told, by its names.
    const netlink = spans
      .filter(({ parentSpanId }) => parentSpanId === answered!.spanId)
      .map(({ name }) => name);
    assert.ok(
      netlink.some((name) => /^netlink (.*NEWLINK×2.*)$/.test(name)),
      netlink.join("\n"),
    );
    assert.ok(
      spans.some(
        ({ name, pid }) =>
          /^netlink nftables/.test(name) && pid === spanNamed(spans, "portmap ADD", SERVER).pid,
      ),
    );
  });

  test("of every other operation", async (t) => {
    const s = await Setting.start(t);
    const env = { PLUMB_TRACE_FILE: s.file };
    for (const [words, verb] of [
      [["add", "net", "/run/netns/c1"], "ADD"],
      [["check", "net", "/run/netns/c1"], "CHECK"],
      [["status", "net"], "STATUS"],
      [["gc", "net"], "GC"],
      [["del", "net", "/run/netns/c1"], "DEL"],
    ] as const) {
      const before = existsSync(s.file) ? readSpans(s.file).length : 0;
      const { code, stderr } = s.plumb(words, [BRIDGE], env);
      assert.deepEqual([code, stderr], [0, ""]);
      const spans = readSpans(s.file).slice(before);
      isOneTree(spans);
      const server = spanNamed(spans, `bridge ${verb}`, SERVER);
      assert.deepEqual(pathTo(spans, server), [
        `plumb ${words[0]}`,
        `network ${verb}`,
        `bridge ${verb}`,
        `bridge ${verb}`,
      ]);
    }
  });

  test("of plumb run: ADD, DEL and the command are one trace", async (t) => {
    const s = await Setting.start(t);
    const env = { PLUMB_TRACE_FILE: s.file, PATH: process.env["PATH"]! };
    const { code, stdout, stderr } = s.plumb(["run", "--", "sh", "-c", "echo $TRACEPARENT"], [BRIDGE], env);
    assert.deepEqual([code, stderr], [0, ""]);
    const spans = readSpans(s.file);
    isOneTree(spans);
    const root = spanNamed(spans, "plumb run");
    assert.equal(stdout.trim(), `00-${root.traceId}-${root.spanId}-01`);
    for (const verb of ["ADD", "DEL"])
      assert.equal(spanNamed(spans, `network ${verb}`).parentSpanId, root.spanId);
  });

  test("of a command that was typed wrongly has its exit code", async (t) => {
    const s = await Setting.start(t);
    const { code } = s.plumb(["add", "net"], [BRIDGE], { PLUMB_TRACE_FILE: s.file });
    assert.equal(code, 2);
    assert.equal(spanNamed(readSpans(s.file), "plumb add").attributes["process.exit.code"], 2);
  });

  test("of a call that fails say so", async (t) => {
    const s = await Setting.start(t);
    const ipam = { ...HOST_LOCAL, rangeStart: "10.9.0.9" };
    const { code, stdout } = s.plumb(["add", "--json", "net", "/run/netns/c1"], [{ ...BRIDGE, ipam }], {
      PLUMB_TRACE_FILE: s.file,
    });
    assert.equal(code, 1);
    const spans = readSpans(s.file);
    isOneTree(spans);
    const { msg, code: number } = JSON.parse(stdout);
    for (const [name, kind] of [
      ["plumb add", INTERNAL],
      ["network ADD", INTERNAL],
      ["bridge ADD", CLIENT],
    ] as const) {
      const { status, events } = spanNamed(spans, name, kind);
      assert.deepEqual([name, status], [name, { code: 2, message: msg }]);
      assert.deepEqual(
        events.map((event) => [event.name, event.attributes["exception.message"]]),
        [["exception", msg]],
      );
    }
    const plugin = spanNamed(spans, "bridge ADD", SERVER);
    assert.deepEqual([plugin.status.code, plugin.attributes["cni.error.code"]], [2, number]);
    assert.equal(spanNamed(spans, "host-local ADD").status.code, 2);
    // The attempt was undone, in the same trace.
    assert.equal(spanNamed(spans, "bridge DEL", SERVER).status.code, undefined);
  });

  test("of programs that a plugin runs, which are told to go on", async (t) => {
    const s = await Setting.start(t);
    const seen = s.witness("witness");
    const masquerade = { ipMasq: true, ipMasqBackend: "iptables" };
    succeeded(
      s.call(
        "ADD",
        { ...BRIDGE, ...masquerade, ipam: { type: "witness" } },
        { PLUMB_TRACE_FILE: s.file, BAGGAGE: "k=v" },
      ),
    );
    const spans = readSpans(s.file);
    isOneTree(spans);
    const run = spanNamed(spans, "run witness", CLIENT);
    assert.deepEqual(seen(), { TRACEPARENT: `00-${run.traceId}-${run.spanId}-01`, BAGGAGE: "k=v" });
    assert.equal(run.attributes["process.exit.code"], 0);
    assert.ok(
      spans.some(({ name }) => /^run iptables.*-restore$/.test(name)),
      spans.map(({ name }) => name).join(),
    );
  });

  test("are asked for by the configuration too", async (t) => {
    const s = await Setting.start(t);
    succeeded(
      s.call(
        "ADD",
        { ...BRIDGE, traceFile: s.file },
        { TRACEPARENT: SAMPLED, PLUMB_TRACE_FILE: "/run/other" },
      ),
    );
    const [first, ...more] = readSpans(s.file);
    assert.deepEqual([first!.name, first!.traceId, first!.parentSpanId], ["bridge ADD", TRACE, SPAN]);
    assert.ok(more.length > 3);
    assert.equal(s.world.exec(["test", "-e", "/run/other"]).code, 1);
  });

  test("that cannot be written cost a line on stderr, and nothing else", async (t) => {
    const s = await Setting.start(t);
    const { code, stderr } = s.call("ADD", BRIDGE, { PLUMB_TRACE_FILE: "/dev/full" });
    assert.deepEqual(
      [code, stderr],
      [0, "plumb: bridge: spans cannot be written: write /dev/full: ENOSPC\n"],
    );
  });
});

describe("a trace context", () => {
  test("that came is gone on with", async (t) => {
    const s = await Setting.start(t);
    const seen = s.witness("witness");
    const env = { PLUMB_TRACE_FILE: s.file, TRACEPARENT: SAMPLED, TRACESTATE: "vendor=1", BAGGAGE: "k=v" };
    assert.equal(s.plumb(["add", "net", "/run/netns/c1"], [{ type: "witness" }], env).code, 0);
    const spans = readSpans(s.file);
    const [root, client] = [spanNamed(spans, "plumb add"), spanNamed(spans, "witness ADD", CLIENT)];
    assert.deepEqual([root.traceId, root.parentSpanId, root.traceState], [TRACE, SPAN, "vendor=1"]);
    assert.deepEqual(seen(), {
      TRACEPARENT: `00-${TRACE}-${client.spanId}-01`,
      TRACESTATE: "vendor=1",
      BAGGAGE: "k=v",
    });
  });

  test("whose trace is not recorded is passed on, and no span is written", async (t) => {
    const s = await Setting.start(t);
    const seen = s.witness("witness");
    const context = { TRACEPARENT: `00-${TRACE}-${SPAN}-00`, TRACESTATE: "vendor=1" };
    const env = { PLUMB_TRACE_FILE: s.file, ...context };
    assert.equal(s.plumb(["add", "net", "/run/netns/c1"], [{ type: "witness" }], env).code, 0);
    assert.deepEqual(seen(), context);
    succeeded(s.call("ADD", { ...BRIDGE, ipam: { type: "witness" } }, env));
    assert.deepEqual(seen(), context);
    assert.equal(existsSync(s.file), false);
  });

  for (const traceparent of [
    "x",
    "",
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
  ])
    test(`that is none begins another trace: ${traceparent || "empty"}`, async (t) => {
      const s = await Setting.start(t);
      const seen = s.witness("witness");
      const env = { PLUMB_TRACE_FILE: s.file, TRACEPARENT: traceparent, TRACESTATE: "vendor=1" };
      const { code, stderr } = s.plumb(["add", "net", "/run/netns/c1"], [{ type: "witness" }], env);
      assert.deepEqual([code, stderr], [0, ""]);
      const spans = readSpans(s.file);
      isOneTree(spans);
      assert.notEqual(spans[0]!.traceId, TRACE);
      assert.match(seen()["TRACEPARENT"]!, new RegExp(`^00-${spans[0]!.traceId}-[0-9a-f]{16}-01$`));
      // It was the other trace's.
      assert.equal(seen()["TRACESTATE"] ?? "", "");
    });

  test("passes untouched where nobody asks for spans", async (t) => {
    const s = await Setting.start(t);
    const seen = s.witness("witness");
    const context = { TRACEPARENT: SAMPLED, TRACESTATE: "vendor=1", BAGGAGE: "k=v" };
    assert.equal(s.plumb(["add", "net", "/run/netns/c1"], [{ type: "witness" }], context).code, 0);
    assert.deepEqual(seen(), context);
    const env = { ...context, PLUMB_LOG_FILE: join(s.world.bin, "log") };
    succeeded(s.call("ADD", { ...BRIDGE, ipam: { type: "witness" } }, env));
    assert.deepEqual(seen(), context);
  });

  test("given to the library is the parent of its spans", async (t) => {
    const s = await Setting.start(t);
    const seen = s.witness("witness");
    const path = new URL("../../dist/node/runtime/index.node.js", import.meta.url).href;
    const { createRuntime, parseConfigList }: typeof library = await import(path);
    process.env["PLUMB_TRACE_FILE"] = s.file;
    t.after(() => delete process.env["PLUMB_TRACE_FILE"]);
    const runtime = createRuntime({ path: [s.world.bin], cacheDir: join(s.world.bin, "cache") });
    const network = parseConfigList({ cniVersion: "1.1.0", name: "net", plugins: [{ type: "witness" }] });
    const attachment = { containerId: "c1", netns: "/run/netns/none", ifName: "eth0" };
    await runtime.add(network, attachment, { trace: { traceparent: SAMPLED, tracestate: "vendor=1" } });
    const spans = readSpans(s.file);
    isOneTree(spans);
    const [root, client] = [spanNamed(spans, "network ADD"), spanNamed(spans, "witness ADD")];
    assert.deepEqual([root.traceId, root.parentSpanId, root.pid], [TRACE, SPAN, process.pid]);
    assert.deepEqual(seen(), { TRACEPARENT: `00-${TRACE}-${client.spanId}-01`, TRACESTATE: "vendor=1" });
  });
});
