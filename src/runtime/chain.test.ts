import assert from "node:assert/strict";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openHost } from "../host/node.node.ts";
import { parseConfigList } from "../spec/config.ts";
import { PluginError } from "./failure.ts";
import { blockingPrograms } from "./programs.ts";
import { attachment, networkOf, Scripted } from "./scripted.node.ts";

const address = (last: number) => `{"cniVersion":"1.1.0","ips":[{"address":"10.1.0.${last}/16"}]}`;
const fail = (code: number, msg: string) => `echo '{"code":${code},"msg":"${msg}","details":"why"}'; exit 1`;
const cacheFile = (s: Scripted) => join(s.paths.cacheDir, "results/net1-c1-eth0");

test("ADD runs the plugins in order and passes each result on", async (t) => {
  const s = new Scripted(t);
  for (const [i, name] of ["a", "b", "c"].entries()) s.plugin(name, `echo '${address(i + 1)}'`);
  const result = await s.runtime().add(networkOf(["a", "b", "c"]), attachment);
  assert.deepEqual(result, JSON.parse(address(3)));
  assert.deepEqual(s.order(), ["ADD a", "ADD b", "ADD c"]);
  assert.deepEqual(
    s.calls().map(({ request }) => request),
    [
      { type: "a", cniVersion: "1.1.0", name: "net1" },
      { type: "b", cniVersion: "1.1.0", name: "net1", prevResult: JSON.parse(address(1)) },
      { type: "c", cniVersion: "1.1.0", name: "net1", prevResult: JSON.parse(address(2)) },
    ],
  );
  assert.deepEqual(JSON.parse(readFileSync(cacheFile(s), "utf8")).result, JSON.parse(address(3)));
});

test("the environment tells the attachment, and nothing of an outer call", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "echo {}");
  const host = openHost();
  host.environment = () => [
    "PATH=/bin:/usr/bin",
    "CNI_COMMAND=DEL",
    "CNI_ARGS=A=B",
    "TRACESTATE=outer",
    "HOME=/x=y",
  ];
  const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", baggage: "k=v" };
  const args = [
    ["IgnoreUnknown", "1"],
    ["K", "V"],
  ] as const;
  await s.runtime({ host }).add(networkOf(["a"]), { ...attachment, args }, { trace });
  const { PWD: _, SHLVL: _1, _: _2, "": _3, ...env } = s.calls()[0]!.env as Record<string, string>;
  assert.deepEqual(env, {
    PATH: "/bin:/usr/bin",
    HOME: "/x=y",
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/run/netns/none",
    CNI_IFNAME: "eth0",
    CNI_ARGS: "IgnoreUnknown=1;K=V",
    CNI_PATH: s.paths.path.join(":"),
    TRACEPARENT: trace.traceparent,
    TRACESTATE: "outer",
    BAGGAGE: "k=v",
    PLUMB_ERRORS_TO: `${process.pid}`,
  });
});

test("capability arguments reach the plugins that declare them", async (t) => {
  const s = new Scripted(t);
  for (const name of ["a", "b"]) s.plugin(name, "echo {}");
  const network = networkOf([{ type: "a", capabilities: { mac: true, ips: false } }, "b"]);
  const capabilityArgs = { mac: "00:00:5e:00:53:01", ips: ["10.1.0.9/16"] };
  await s.runtime().add(network, { ...attachment, capabilityArgs });
  const requests = s.calls().map(({ request }) => request);
  assert.deepEqual(requests[0].runtimeConfig, { mac: "00:00:5e:00:53:01" });
  assert.equal("runtimeConfig" in requests[1], false);
  assert.equal("capabilities" in requests[0], false);
});

for (const output of ["", "null", "{}", "\n"])
  test(`the output ${JSON.stringify(output)} is an empty result in the network's version`, async (t) => {
    const s = new Scripted(t);
    s.plugin("a", `printf '${output}'`);
    assert.deepEqual(await s.runtime().add(networkOf(["a"]), attachment), { cniVersion: "1.1.0" });
  });

test("a result in another version is converted to the network's, one in the same keeps unknown members", async (t) => {
  const s = new Scripted(t);
  s.plugin("old", `echo '{"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.2/16"}}'`);
  s.plugin("same", `echo '{"ips":[],"x-more":1}'`);
  const runtime = s.runtime();
  assert.deepEqual(await runtime.add(networkOf(["old"]), attachment), JSON.parse(address(2)));
  assert.deepEqual(await runtime.add(networkOf(["same"]), attachment), {
    cniVersion: "1.1.0",
    ips: [],
    "x-more": 1,
  });
});

test("an error halts ADD and says what the plugin said, and which", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "echo {}");
  s.plugin("b", `echo note >&2; ${fail(111, "no way")}`);
  s.plugin("c", "echo {}");
  await assert.rejects(s.runtime().add(networkOf(["a", "b", "c"]), attachment), (error: PluginError) => {
    assert.ok(error instanceof PluginError);
    assert.equal(error.code, 111);
    assert.equal(error.message, 'plugin type="b" failed (add): no way');
    assert.equal(error.details, "why");
    assert.deepEqual(error.place, { verb: "ADD", plugin: "b", network: "net1" });
    return true;
  });
  assert.deepEqual(s.order(), ["ADD a", "ADD b"]);
  assert.deepEqual(s.stderr, ["note\n"]);
  assert.equal(existsSync(cacheFile(s)), false);
});

const failures: [what: string, script: string, code: number, message: RegExp, details: RegExp][] = [
  ["prints garbage", "echo not JSON", 6, /its output is no JSON object/, /not JSON/],
  ["prints a list", "echo []", 6, /its output is no JSON object/, /\[\]/],
  ["prints a wrong result", `echo '{"ips":[{"address":"x"}]}'`, 6, /result\.ips\[0\]\.address/, /^/],
  ["prints an unknown version", `echo '{"cniVersion":"7.0.0"}'`, 1, /incompatible CNI versions/, /7\.0\.0/],
  ["is killed", "echo last words >&2; kill -KILL $$", 100, /killed by signal 9/, /last words/],
  ["fails without a word", "exit 3", 100, /exit code 3 without an error object/, /nothing/],
  ["fails with garbage", "echo oops; exit 1", 100, /exit code 1 without an error object/, /oops/],
  ["takes too long", "exec sleep 60", 11, /no answer within 0\.3 s/, /killed/],
];
for (const [name, programs] of [
  ["blocking", blockingPrograms(openHost())],
  ["spawned", undefined],
] as const)
  for (const [what, script, code, message, details] of failures)
    test(`a plugin that ${what} (${name})`, async (t) => {
      const s = new Scripted(t);
      s.plugin("a", script);
      const runtime = s.runtime({
        timeoutMs: what === "takes too long" ? 300 : 20_000,
        ...(programs && { programs }),
      });
      await assert.rejects(runtime.add(networkOf(["a"]), attachment), (error: PluginError) => {
        assert.ok(error instanceof PluginError);
        assert.equal(error.code, code);
        assert.match(error.message, /^plugin type="a" failed \(add\): /);
        assert.match(error.message, message);
        assert.match(error.details, details);
        return true;
      });
    });

test("a missing plugin names the type and where it was searched", async (t) => {
  const s = new Scripted(t);
  await assert.rejects(s.runtime({ path: ["/x", "/y"] }).add(networkOf(["nope"]), attachment), {
    code: 7,
    message: 'plugin type="nope" failed (add): failed to find plugin "nope" in path [/x /y]',
  });
});

test("a built-in plugin is run by its name, unless a directory has one", async (t) => {
  const s = new Scripted(t);
  s.plugin("plumb", `test "$1" = own && echo '${address(7)}'`);
  const builtIn = { path: join(s.dir, "bin/plumb"), types: ["own"] };
  const runtime = s.runtime({ builtIn });
  assert.deepEqual(await runtime.add(networkOf(["own"]), attachment), JSON.parse(address(7)));
  s.plugin("own", `echo '${address(8)}'`);
  assert.deepEqual(await runtime.add(networkOf(["own"]), attachment), JSON.parse(address(8)));
});

for (const [what, wrong, code] of [
  ["container ID", { containerId: "../c1" }, 4],
  ["empty container ID", { containerId: "" }, 3],
  ["interface name", { ifName: "eth/0" }, 4],
] as const)
  test(`a bad ${what} is refused before any plugin runs`, async (t) => {
    const s = new Scripted(t);
    s.plugin("a", "echo {}");
    for (const verb of ["add", "check", "del"] as const)
      await assert.rejects(s.runtime()[verb](networkOf(["a"]), { ...attachment, ...wrong }), { code });
    assert.deepEqual(s.calls(), []);
  });

test("CHECK and DEL get the result, arguments and capabilities of ADD; DEL runs in reverse and empties the cache", async (t) => {
  const s = new Scripted(t);
  for (const name of ["a", "b"]) s.plugin(name, `test $CNI_COMMAND != ADD || echo '${address(5)}'`);
  const network = networkOf([{ type: "a", capabilities: { mac: true } }, "b"]);
  const runtime = s.runtime();
  await runtime.add(network, { ...attachment, args: [["K", "V"]], capabilityArgs: { mac: "m" } });
  await runtime.check(network, attachment);
  await runtime.del(network, attachment);
  assert.deepEqual(s.order(), ["ADD a", "ADD b", "CHECK a", "CHECK b", "DEL b", "DEL a"]);
  for (const { plugin, env, request } of s.calls().slice(2)) {
    assert.equal(env["CNI_ARGS"], "K=V");
    assert.deepEqual(request.prevResult, JSON.parse(address(5)));
    assert.deepEqual(request.runtimeConfig, plugin === "a" ? { mac: "m" } : undefined);
  }
  assert.equal(existsSync(cacheFile(s)), false);
});

test("what the caller says goes before what is cached", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "echo {}");
  const runtime = s.runtime();
  await runtime.add(networkOf(["a"]), { ...attachment, args: [["K", "V"]] });
  await runtime.del(networkOf(["a"]), { ...attachment, netns: "", args: [] });
  const { env } = s.calls()[1]!;
  assert.deepEqual([env["CNI_ARGS"], env["CNI_NETNS"]], ["", ""]);
});

test("DEL does not name a namespace that is gone, be there a file in its place or nothing", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "echo {}");
  // What cannot be opened may be there.
  const unreachable = join(s.dir, "unreachable");
  symlinkSync(unreachable, unreachable);
  for (const netns of ["/proc/self/ns/net", unreachable, s.file("no-namespace", ""), join(s.dir, "nothing")])
    await s.runtime().del(networkOf(["a"]), { ...attachment, netns });
  assert.deepEqual(
    s.calls().map(({ env }) => env["CNI_NETNS"]),
    ["/proc/self/ns/net", unreachable, "", ""],
  );
});

test("DEL goes on past errors, reports all of them and keeps the cache entry", async (t) => {
  const s = new Scripted(t);
  for (const [i, name] of ["a", "b", "c"].entries())
    s.plugin(
      name,
      `test $CNI_COMMAND = ADD && exit 0\n${name === "b" ? "exit 0" : fail(100 + i, `${name} is stuck`)}`,
    );
  const network = networkOf(["a", "b", "c"]);
  const runtime = s.runtime();
  await runtime.add(network, attachment);
  await assert.rejects(runtime.del(network, attachment), {
    code: 102,
    message:
      'cannot remove eth0 of c1 from network "net1": 2 failures, the first: plugin type="c" failed (delete): c is stuck',
    details:
      'plugin type="c" failed (delete): c is stuck; why\nplugin type="a" failed (delete): a is stuck; why',
  });
  assert.deepEqual(s.order().slice(3), ["DEL c", "DEL b", "DEL a"]);
  assert.equal(existsSync(cacheFile(s)), true);
});

test("DEL works without ADD, repeatedly, and with a bad cache entry, which it removes", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "");
  const runtime = s.runtime();
  await runtime.del(networkOf(["a"]), attachment);
  for (const content of [
    "{",
    `{"kind":"cniCacheV1","containerId":"c1","ifName":"eth0","networkName":"net1","result":{"ips":3}}`,
  ]) {
    s.file("cache/results/net1-c1-eth0", content);
    await runtime.del(networkOf(["a"]), attachment);
    assert.equal(existsSync(cacheFile(s)), false);
  }
  assert.deepEqual(s.order(), ["DEL a", "DEL a", "DEL a"]);
  for (const { request } of s.calls()) assert.equal("prevResult" in request, false);
});

test("DEL has no prevResult below version 0.4.0, and one in the network's version above", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", `test $CNI_COMMAND != ADD || echo '{"ips":[{"version":"4","address":"10.1.0.2/16"}]}'`);
  const runtime = s.runtime();
  const old = networkOf(["a"], { cniVersion: "0.3.1" });
  await runtime.add(old, attachment);
  await runtime.del(old, attachment);
  assert.equal("prevResult" in s.calls()[1]!.request, false);
  await runtime.add(old, attachment);
  await runtime.del(networkOf(["a"]), attachment);
  assert.deepEqual(s.calls()[3]!.request.prevResult, JSON.parse(address(2)));
});

test("CHECK wants version 0.4.0 and an attachment, and heeds disableCheck", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "");
  const runtime = s.runtime();
  await assert.rejects(runtime.check(networkOf(["a"], { cniVersion: "0.3.1" }), attachment), {
    code: 1,
    message: 'configuration version "0.3.1" does not support the CHECK command',
  });
  await assert.rejects(runtime.check(networkOf(["a"]), attachment), { code: 3 });
  await runtime.check(networkOf(["a"], { disableCheck: "true" }), attachment);
  assert.deepEqual(s.calls(), []);
});

test("an error halts CHECK", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", `test $CNI_COMMAND = ADD || { ${fail(120, "gone")}; }`);
  s.plugin("b", "");
  const network = networkOf(["a", "b"]);
  await s.runtime().add(network, attachment);
  await assert.rejects(s.runtime().check(network, attachment), { code: 120 });
  assert.deepEqual(s.order(), ["ADD a", "ADD b", "CHECK a"]);
});

test("STATUS asks every plugin, gives the first error, and is not asked of older versions", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "");
  s.plugin("b", fail(50, "no addresses left"));
  s.plugin("c", fail(51, "not asked"));
  await assert.rejects(s.runtime().status(networkOf(["a", "b", "c"])), {
    code: 50,
    message: 'plugin type="b" failed (status): no addresses left',
  });
  assert.deepEqual(s.order(), ["STATUS a", "STATUS b"]);
  const { env } = s.calls()[0]!;
  assert.deepEqual(
    [env["CNI_PATH"], env["CNI_CONTAINERID"], env["CNI_NETNS"]],
    [s.paths.path[0], undefined, undefined],
  );
  await s.runtime().status(networkOf(["b"], { cniVersion: "1.0.0" }));
});

test("the newest supported version of cniVersions is the one plugins are told", async (t) => {
  const s = new Scripted(t);
  s.plugin("a", "echo {}");
  const network = parseConfigList({
    cniVersions: ["0.4.0", "1.0.0", "9.0.0"],
    name: "net1",
    plugins: [{ type: "a" }],
  });
  await s.runtime().add(network, attachment);
  assert.equal(s.calls()[0]!.request.cniVersion, "1.0.0");
});

test("VERSION: what a plugin supports, and what a network needs", async (t) => {
  const s = new Scripted(t);
  s.plugin("new", `echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}'`);
  s.plugin("old", `echo '{"code":4,"msg":"unknown CNI_COMMAND: VERSION"}'; exit 1`);
  const runtime = s.runtime();
  assert.deepEqual(await runtime.versions("new"), ["1.0.0", "1.1.0"]);
  assert.deepEqual(await runtime.versions("old"), ["0.1.0"]);
  const capable = { type: "new", capabilities: { mac: true, ips: false, dns: true } };
  assert.deepEqual(await runtime.validate(networkOf([capable, capable])), ["mac", "dns"]);
  await assert.rejects(runtime.validate(networkOf(["new", "old", "none"])), {
    code: 1,
    details:
      'plugin old does not support config version "1.1.0"; It supports 0.1.0.\n' +
      `plugin type="none" failed (version): failed to find plugin "none" in path [${s.paths.path[0]}]; ` +
      "Put the plugin's executable into one of these directories, or name its directory in CNI_PATH.",
  });
});
