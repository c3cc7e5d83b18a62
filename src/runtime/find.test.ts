import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { CniError } from "../spec/errors.ts";
import { Scripted } from "./scripted.node.ts";

const list = (name: string, type = "bridge") =>
  JSON.stringify({ cniVersion: "1.0.0", name, plugins: [{ type }] });
const single = (name: string, type = "bridge") => JSON.stringify({ cniVersion: "0.4.0", name, type });

test("configurations come in the order of their files; bad ones are named, others ignored", (t) => {
  const s = new Scripted(t);
  s.file("net.d/20-b.conf", single("b"));
  s.file("net.d/10-a.conflist", list("a"));
  s.file("net.d/15-broken.conflist", '{"name": "x",');
  s.file("net.d/17-list-as-conf.conf", list("y"));
  s.file("net.d/30-c.json", single("c"));
  s.file("net.d/40-d.conflist.bak", list("d"));
  mkdirSync(join(s.dir, "net.d/50-folder.conflist"));
  const { networks, bad } = s.runtime().networks();
  assert.deepEqual(
    networks.map(({ file, network }) => [basename(file), network.name]),
    [
      ["10-a.conflist", "a"],
      ["20-b.conf", "b"],
      ["30-c.json", "c"],
    ],
  );
  assert.deepEqual(
    bad.map(({ file, problem }) => [basename(file), problem.code]),
    [
      ["15-broken.conflist", 6],
      ["17-list-as-conf.conf", 7],
    ],
  );
  assert.equal(s.runtime().defaultNetwork().name, "a");
});

test("a name is looked for among the lists first", (t) => {
  const s = new Scripted(t);
  s.file("net.d/10.conf", single("n", "first"));
  s.file("net.d/20.conflist", list("n", "second"));
  s.file("net.d/30.conflist", list("n", "third"));
  assert.equal(s.runtime().network("n").plugins[0]?.type, "second");
});

test("a single plugin becomes a list of one and keeps unknown members", (t) => {
  const s = new Scripted(t);
  s.file(
    "net.d/10.conf",
    JSON.stringify({ cniVersion: "0.3.1", name: "n", type: "ptp", mtu: 1400, "x-vendor": [1] }),
  );
  const { cniVersion, plugins } = s.runtime().network("n");
  assert.equal(cniVersion, "0.3.1");
  assert.equal(plugins.length, 1);
  assert.deepEqual(
    { ...plugins[0] },
    { cniVersion: "0.3.1", name: "n", type: "ptp", mtu: 1400, "x-vendor": [1] },
  );
});

test("plugins from the network's folder follow the inlined ones, in lexical order", (t) => {
  const s = new Scripted(t);
  s.file("net.d/n/20.conf", '{"type": "z"}');
  s.file("net.d/n/10.conf", '{"type": "y"}');
  s.file("net.d/n/05.json", '{"type": "not a .conf"}');
  const types = (flags: object, plugins = [{ type: "x" }]) => {
    s.file("net.d/n.conflist", JSON.stringify({ cniVersion: "1.0.0", name: "n", ...flags, plugins }));
    return s
      .runtime()
      .network("n")
      .plugins.map(({ type }) => type);
  };
  assert.deepEqual(types({}), ["x", "y", "z"]);
  assert.deepEqual(types({ loadOnlyInlinedPlugins: true }), ["x"]);
  assert.deepEqual(types({}, []), ["y", "z"]);
});

test("a bad file in the folder makes the network bad and is named", (t) => {
  const s = new Scripted(t);
  s.file("net.d/n.conflist", list("n"));
  const bad = s.file("net.d/n/10.conf", "{}");
  const [found] = s.runtime().networks().bad;
  assert.match(found?.problem.message ?? "", new RegExp(`plugin file ${bad}: `));
});

test("what is not found says what is there, bad files included", (t) => {
  const s = new Scripted(t);
  s.file("net.d/10.conflist", list("a"));
  s.file("net.d/20.conflist", "nonsense");
  assert.throws(
    () => s.runtime().network("b"),
    (error: CniError) => {
      assert.ok(error instanceof CniError);
      assert.equal(error.code, 7);
      assert.equal(error.message, `no net configuration with name "b" in ${s.paths.confDir}`);
      assert.match(error.details, /There are: "a"\./);
      assert.match(error.details, /20\.conflist cannot be used: the configuration is not JSON/);
      return true;
    },
  );
});

test("an empty or missing directory has no networks", (t) => {
  const s = new Scripted(t);
  for (const confDir of [s.paths.confDir, join(s.dir, "missing")]) {
    const runtime = s.runtime({ confDir });
    assert.deepEqual(runtime.networks(), { networks: [], bad: [] });
    assert.throws(() => runtime.defaultNetwork(), {
      message: `no net configurations found in ${confDir}`,
      code: 7,
    });
    assert.throws(() => runtime.network("n"), {
      message: `no net configurations found in ${confDir}`,
      code: 7,
    });
  }
});
