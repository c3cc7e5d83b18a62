import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../address/cidr.ts";
import { errno } from "../host/errno.ts";
import { type FakeCall, type FakeOutcome, FakeSystem } from "../host/fake.ts";
import { Host } from "../host/host.ts";
import type { Sys } from "../host/sys.ts";
import { CniError } from "../spec/errors.ts";
import { integer, object, optional } from "../spec/schema.ts";
import { definePlugin, type Plugin, type PluginDefinition } from "./define.ts";
import { runPlugin } from "./run.ts";

// A call is a map and some texts: environment, stdin, scripted delegates.

const config = object({ size: optional(integer(0), 0) });
type Config = { readonly size: number };
type Definition = Partial<PluginDefinition<Config>>;

const RESULT = { ips: [{ address: parseCidr("10.1.0.2/24")! }] };
const RESULT_JSON = { cniVersion: "1.1.0", ips: [{ address: "10.1.0.2/24" }] };

function pluginOf(definition: Definition): Plugin<Config> {
  return definePlugin({ type: "main", config, add: () => RESULT, ...definition });
}

interface Setting {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: object | string;
  readonly delegate?: (call: FakeCall) => FakeOutcome;
  /** Another plugin of the same executable. */
  readonly other?: Plugin;
  /** System calls that behave in another way. */
  readonly sys?: (sys: Sys) => Partial<Sys>;
}

interface Outcome {
  readonly code: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a plugin prints
  readonly output: any;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: string, definition: Definition, setting: Setting = {}): Promise<Outcome> {
  const { env = {}, stdin = {}, delegate, other, sys } = setting;
  const system = new FakeSystem();
  const variables = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: "c1",
    CNI_IFNAME: "eth0",
    CNI_NETNS: "/run/netns/c1",
    CNI_NETNS_OVERRIDE: "1",
    CNI_PATH: "/bin",
    ...env,
  };
  const set = Object.entries(variables).filter(([, value]) => value !== undefined);
  system.env = set.map(([name, value]) => `${name}=${value}`);
  const input = { cniVersion: "1.1.0", name: "net", type: "main" };
  system.stdin = typeof stdin === "string" ? stdin : JSON.stringify({ ...input, ...stdin });
  if (delegate) {
    system.host.makeDirectories("/bin");
    system.host.writeFile("/bin/delegate", "");
    system.programs.set("/bin/delegate", delegate);
  }
  // The fake has no files that are namespaces.
  const open: Sys["open"] = (netns, path, flags, mode) =>
    path.startsWith("/run/netns/") ? system.sys.newnetns() : system.sys.open(netns, path, flags, mode);
  const host = new Host({ ...system.sys, open, ...sys?.(system.sys) });
  const code = await runPlugin(host, pluginOf(definition), async (type) =>
    type === other?.type ? other : undefined,
  );
  const { stdout, stderr } = system;
  return { code, output: stdout === "" ? undefined : JSON.parse(stdout), stdout, stderr };
}

test("a function is told what the call says", async () => {
  let told: object = {};
  const { code, output } = await run(
    "ADD",
    {
      add(request) {
        const { host, stdin, hostNetns, netns, args, warn: _, ...plain } = request;
        assert.deepEqual(JSON.parse(stdin), plain.rawConfig);
        told = { ...plain, netns: netns.path, args: [...args], own: hostNetns.fd };
        return RESULT;
      },
    },
    { env: { CNI_ARGS: "K=V;IgnoreUnknown=1", CNI_PATH: ":/a::/b" }, stdin: { Size: 3, more: [null] } },
  );
  assert.deepEqual([code, output], [0, RESULT_JSON]);
  assert.deepEqual(told, {
    config: { size: 3 },
    rawConfig: { cniVersion: "1.1.0", name: "net", type: "main", Size: 3, more: [null] },
    cniVersion: "1.1.0",
    network: "net",
    path: ["/a", "/b"],
    containerId: "c1",
    ifName: "eth0",
    args: [
      ["K", "V"],
      ["IgnoreUnknown", "1"],
    ],
    netns: "/run/netns/c1",
    own: -1,
  });
});

test("ADD that says nothing gives what the plugin before said, else an empty result", async () => {
  const nothing = { add: () => undefined };
  assert.deepEqual((await run("ADD", nothing)).output, { cniVersion: "1.1.0" });
  const { output } = await run("ADD", nothing, { stdin: { prevResult: RESULT_JSON } });
  assert.deepEqual(output, RESULT_JSON);
});

test("commands that a plugin has no function for succeed", async () => {
  for (const command of ["CHECK", "DEL", "STATUS", "GC"]) {
    const stdin = { "cni.dev/valid-attachments": [] };
    assert.deepEqual(await run(command, {}, { stdin }), {
      code: 0,
      output: undefined,
      stdout: "",
      stderr: "",
    });
  }
});

test("a plugin may speak fewer versions", async () => {
  const versions = ["0.4.0", "1.0.0"] as const;
  const version = await run("VERSION", { versions }, { stdin: '{"cniVersion":"0.4.0"}' });
  assert.deepEqual(version.output, { cniVersion: "0.4.0", supportedVersions: ["0.4.0", "1.0.0"] });
  const { code, output } = await run("ADD", { versions });
  assert.equal(code, 1);
  assert.deepEqual(output, {
    cniVersion: "1.1.0",
    code: 1,
    msg: "incompatible CNI versions",
    details: 'config is "1.1.0", plugin supports ["0.4.0" "1.0.0"]',
  });
});

test("everything is checked before the plugin's function is called", async () => {
  const rows: [setting: Setting, code: number][] = [
    [{ env: { CNI_IFNAME: "a/b" } }, 4],
    [{ env: { CNI_ARGS: "x" } }, 4],
    [{ env: { CNI_NETNS: "/none" } }, 8],
    [{ stdin: { name: "" } }, 7],
    [{ stdin: { size: -1 } }, 7],
    [{ stdin: { ipam: { type: "a/b" } } }, 7],
    [{ stdin: { prevResult: 5 } }, 6],
    [{ stdin: { cniVersion: "0.9.9" } }, 1],
    [{ stdin: "{" }, 6],
  ];
  for (const [setting, code] of rows) {
    const { output } = await run("ADD", { add: () => assert.fail("it was called") }, setting);
    assert.equal(output.code, code, output.msg);
  }
});

test("DEL is called without what cannot be read", async () => {
  const { code } = await run(
    "DEL",
    {
      del({ netns, prevResult, args }) {
        assert.deepEqual([netns, prevResult, args.size], [undefined, undefined, 0]);
      },
    },
    { env: { CNI_NETNS: "/none", CNI_ARGS: "x" }, stdin: { prevResult: 5 } },
  );
  assert.equal(code, 0);
});

/** An ADD that makes two things, which are undone in `undone`. */
function makingTwo(undone: string[], then: () => typeof RESULT): Definition {
  return {
    add(_, undo) {
      undo.keep({ remove: () => void undone.push("first") });
      undo.add("undo the second", () => void undone.push("second"));
      return then();
    },
  };
}

test("ADD that throws is undone, and its error is told", async () => {
  const undone: string[] = [];
  const { code, output } = await run(
    "ADD",
    makingTwo(undone, () => {
      throw new CniError(123, "no", "because");
    }),
  );
  assert.deepEqual([code, undone], [1, ["second", "first"]]);
  assert.deepEqual(output, { cniVersion: "1.1.0", code: 123, msg: "no", details: "because" });
});

test("ADD whose result the version cannot say is undone", async () => {
  const undone: string[] = [];
  const empty = () => ({ ips: [] });
  const { output } = await run("ADD", makingTwo(undone, empty), { stdin: { cniVersion: "0.2.0" } });
  assert.deepEqual([output.code, output.msg], [7, "cannot convert: no valid IP addresses"]);
  assert.deepEqual(undone, ["second", "first"]);
});

test("ADD whose result nobody reads is undone, and stderr tells", async () => {
  const undone: string[] = [];
  const { code, stdout, stderr } = await run(
    "ADD",
    makingTwo(undone, () => RESULT),
    {
      sys: (sys) => ({
        write: (fd, data, timeoutMs) => (fd === 1 ? -errno.EPIPE : sys.write(fd, data, timeoutMs)),
      }),
    },
  );
  assert.deepEqual([code, stdout, undone], [1, "", ["second", "first"]]);
  assert.match(
    stderr,
    /^plumb: main: write stdout: EPIPE: \{"cniVersion":"1\.1\.0","code":5,"msg":"write stdout: EPIPE"/,
  );
});

test("what could not be undone is told behind the first error", async () => {
  const { output } = await run("ADD", {
    add(_, undo) {
      undo.add("delete eth0", () => {
        throw new Error("it is busy");
      });
      throw new CniError(11, "later", "Wait.");
    },
  });
  assert.deepEqual([output.code, output.msg], [11, "later"]);
  assert.equal(output.details, "Wait.\nNot everything could be undone:\ncannot delete eth0: it is busy");
});

test("what nobody foresaw is 999, with the stack of what was thrown first, also on the line on stderr", async () => {
  const fault = () => {
    throw new TypeError("x is undefined");
  };
  const rows: [command: string, definition: Definition, msg: string][] = [
    ["ADD", { add: fault }, "TypeError: x is undefined"],
    ["DEL", { del: (_, cleanup) => cleanup.step("do it", fault) }, "cannot do it: TypeError: x is undefined"],
    ["STATUS", { status: fault }, "TypeError: x is undefined"],
  ];
  for (const [command, definition, msg] of rows) {
    const { code, output, stderr } = await run(command, definition);
    assert.deepEqual([code, output.code, output.msg], [1, 999, msg]);
    const advice = /^This is a fault of plumb itself: .* stack: fault \(.*run\.test\.ts:\d+:\d+\) < .*$/;
    assert.match(output.details, advice);
    assert.match(stderr, new RegExp(`^plumb: main: ${command} .*: ${msg} \\(code 999\\)\\. .*\n$`));
    assert.ok(stderr.includes(output.details));
  }
});

test("a delegate of the same executable is called in this process, with its own configuration", async () => {
  const calls: string[] = [];
  const other = definePlugin({
    type: "pool",
    sandbox: "none",
    config: object({ ipam: object({ size: integer() }) }),
    add({ config }, undo) {
      undo.add("undo inside", () => void calls.push("undone"));
      calls.push(`add ${config.ipam.size}`);
      if (config.ipam.size === 0) throw new CniError(11, "empty");
      return RESULT;
    },
    del: (_, cleanup) => cleanup.step("release", () => void calls.push("del")),
    check: () => void calls.push("check"),
    status: () => void calls.push("status"),
    gc: (_, cleanup) => cleanup.step("release", () => void calls.push("gc")),
  }) as Plugin;
  let later: CniError | undefined;
  const definition: Definition = {
    add({ ipam }, undo) {
      const lease = ipam!.add(undo);
      if (later) throw later;
      return lease;
    },
    check: ({ ipam }) => ipam!.check(),
    del: ({ ipam }, cleanup) => cleanup.step("release", () => ipam!.del()),
    status: ({ ipam }) => ipam!.status(),
    gc: ({ ipam }, cleanup) => cleanup.step("release", () => ipam!.gc()),
  };
  const call = (command: string, size: unknown) =>
    run(command, definition, {
      other,
      stdin: { ipam: { type: "pool", size }, "cni.dev/valid-attachments": [] },
    });
  assert.deepEqual((await call("ADD", 3)).output, RESULT_JSON);
  for (const command of ["CHECK", "STATUS", "GC", "DEL"]) assert.equal((await call(command, 3)).code, 0);
  assert.deepEqual(calls.splice(0), ["add 3", "check", "status", "gc", "del"]);
  // It undoes itself what it has half done.
  assert.equal((await call("ADD", 0)).output.code, 11);
  assert.deepEqual(calls.splice(0), ["add 0", "undone"]);
  // What it gave is released by its DEL.
  later = new CniError(100, "later");
  assert.equal((await call("ADD", 3)).output.msg, "later");
  assert.deepEqual(calls.splice(0), ["add 3", "del"]);
  assert.match((await call("DEL", "x")).output.msg, /^cannot release: invalid configuration: ipam\.size: /);
});

test("another delegate is a program", async () => {
  const calls: string[] = [];
  const definition: Definition = {
    add({ ipam }, undo) {
      ipam!.add(undo);
      throw new CniError(100, "later");
    },
  };
  const { output } = await run("ADD", definition, {
    stdin: { ipam: { type: "delegate" } },
    delegate({ argv, env, stdin }) {
      calls.push(
        `${argv} ${env.filter((entry) => entry.startsWith("CNI_COMMAND="))} ${JSON.parse(stdin).ipam.type}`,
      );
      return { stdout: '{"ips":[{"address":"10.1.0.2/24"}]}' };
    },
  });
  assert.equal(output.msg, "later");
  assert.deepEqual(calls, [
    "/bin/delegate CNI_COMMAND=ADD delegate",
    "/bin/delegate CNI_COMMAND=DEL delegate",
  ]);
});

test("a plugin that makes interfaces is no delegate", async () => {
  const other = definePlugin({ type: "pool", config: object({}), add: () => RESULT }) as Plugin;
  const { output } = await run("ADD", {}, { other, stdin: { ipam: { type: "pool" } } });
  assert.deepEqual([output.code, output.msg], [7, "plugin pool gives no addresses"]);
});

test("a plugin that looks at no namespace needs none, and delegates to nobody", async () => {
  const add: Definition["add"] = ({ netns, ipam }) => {
    assert.deepEqual([netns, ipam], [undefined, undefined]);
    return RESULT;
  };
  const setting = { env: { CNI_NETNS: "/none" }, stdin: { ipam: { type: "main" } } };
  assert.equal((await run("ADD", { sandbox: "none", add }, setting)).code, 0);
});
