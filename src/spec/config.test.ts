import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConf, parseConfigList, parsePluginConf, reservedKeys, withFolderPlugins } from "./config.ts";

// Specification 1.1.0, section 1, "Example configuration".
const example = {
  cniVersion: "1.1.0",
  cniVersions: ["0.3.1", "0.4.0", "1.0.0", "1.1.0"],
  name: "dbnet",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      keyA: ["some more", "plugin specific", "configuration"],
      ipam: {
        type: "host-local",
        subnet: "10.1.0.0/16",
        gateway: "10.1.0.1",
        routes: [{ dst: "0.0.0.0/0" }],
      },
      dns: { nameservers: ["10.1.0.1"] },
    },
    { type: "tuning", capabilities: { mac: true }, sysctl: { "net.core.somaxconn": "500" } },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

const list = (extra: object) => ({ name: "net", cniVersion: "1.0.0", plugins: [{ type: "x" }], ...extra });

test("the specification's example is read, unknown keys stay", () => {
  for (const input of [example, JSON.stringify(example)]) {
    assert.deepEqual(parseConfigList(input), {
      name: "dbnet",
      cniVersion: "1.1.0",
      cniVersions: example.cniVersions,
      disableCheck: false,
      disableGC: false,
      loadOnlyInlinedPlugins: false,
      plugins: example.plugins,
      source: example,
    });
  }
});

test("the newest supported version is taken, 0.1.0 if there is none", () => {
  assert.equal(parseConfigList(list({ cniVersions: ["0.4.0", "1.1.0", "1.2.0"] })).cniVersion, "1.1.0");
  assert.equal(parseConfigList({ name: "net", plugins: [{ type: "x" }] }).cniVersion, "0.1.0");
  assert.throws(() => parseConfigList(list({ cniVersion: "9.9.9" })), { code: 1 });
  assert.throws(() => parseConfigList(list({ cniVersions: ["newest"] })), { code: 7 });
});

test("switches are booleans, or texts of them", () => {
  for (const key of ["disableCheck", "disableGC", "loadOnlyInlinedPlugins"] as const) {
    for (const value of [true, "true", "True"])
      assert.equal(parseConfigList(list({ [key]: value }))[key], true);
    for (const value of [false, "false", null])
      assert.equal(parseConfigList(list({ [key]: value }))[key], false);
    for (const value of ["yes", 1, "", {}]) {
      const message = `invalid configuration: ${key}: expected true or false, got ${JSON.stringify(value)}`;
      assert.throws(() => parseConfigList(list({ [key]: value })), { code: 7, message });
    }
  }
});

test("a wrong configuration is told with code 7 and the key", () => {
  const rows: [config: unknown, message: string | RegExp][] = [
    [[], "invalid configuration: expected an object, got []"],
    [5, "invalid configuration: expected an object, got 5"],
    [{ plugins: [] }, "missing network name"],
    [list({ name: "a/b" }), 'invalid network name "a/b"'],
    [list({ name: 5 }), "invalid network name 5"],
    [list({ cniVersion: 1 }), "invalid configuration: cniVersion: expected a string, got 1"],
    [list({ cniVersions: "1.0.0" }), 'invalid configuration: cniVersions: expected a list, got "1.0.0"'],
    [list({ cniVersions: [1] }), "invalid configuration: cniVersions[0]: expected a string, got 1"],
    [list({ plugins: {} }), "invalid configuration: plugins: expected a list, got {}"],
    [list({ plugins: [5] }), "invalid configuration: plugins[0]: expected an object, got 5"],
    [
      list({ plugins: [{ type: "x" }, {}] }),
      /plugins\[1\]\.type: expected the name of an executable.*got nothing/,
    ],
    [list({ plugins: [{ type: "../x" }] }), /plugins\[0\]\.type: expected .*got "\.\.\/x"/],
    [
      list({ plugins: [{ type: "x", capabilities: { mac: 1 } }] }),
      "invalid configuration: plugins[0].capabilities.mac: expected true or false, got 1",
    ],
    [
      list({ plugins: [{ type: "x", ipam: "host-local" }] }),
      'invalid configuration: plugins[0].ipam: expected an object, got "host-local"',
    ],
    [
      list({ plugins: [{ type: "x", dns: { nameservers: "1.1.1.1" } }] }),
      'invalid configuration: plugins[0].dns.nameservers: expected a list, got "1.1.1.1"',
    ],
  ];
  for (const [config, message] of rows) assert.throws(() => parseConfigList(config), { code: 7, message });
});

test("text that is not JSON is told with code 6 and the place", () => {
  assert.throws(() => parseConfigList('{"name": "net",\n "plugins": [}\n'), {
    code: 6,
    message: "the configuration is not JSON",
    details: 'Unexpected "}" in line 2, column 14, after "plugins": [',
  });
  assert.throws(() => parseConf(""), { code: 6, details: "Unexpected end of text in line 1, column 1" });
});

test("plugins of the folder follow those of the list, unless only inlined ones are loaded", () => {
  const folder = [parsePluginConf({ type: "y", key: 1 })];
  const types = (config: object) =>
    withFolderPlugins(parseConfigList(config), folder).plugins.map((plugin) => plugin.type);
  assert.deepEqual(types(list({})), ["x", "y"]);
  assert.deepEqual(types(list({ plugins: [] })), ["y"]);
  assert.deepEqual(types({ name: "net" }), ["y"]);
  assert.deepEqual(types(list({ loadOnlyInlinedPlugins: true })), ["x"]);
});

test("a network without any plugin is an error", () => {
  const message = 'network "net" has no plugins';
  assert.throws(() => withFolderPlugins(parseConfigList(list({ plugins: [] })), []), { code: 7, message });
  for (const plugins of [[], undefined])
    assert.throws(() => parseConfigList(list({ plugins, loadOnlyInlinedPlugins: true })), {
      code: 7,
      message,
    });
});

test("a single configuration becomes a list of one", () => {
  const conf = {
    name: "old",
    cniVersion: "0.2.0",
    type: "bridge",
    bridge: "br0",
    capabilities: { mac: true },
  };
  const { name, cniVersion, plugins, loadOnlyInlinedPlugins } = parseConf(JSON.stringify(conf));
  assert.deepEqual({ name, cniVersion, plugins }, { name: "old", cniVersion: "0.2.0", plugins: [conf] });
  assert.equal(loadOnlyInlinedPlugins, true);
  assert.equal(parseConf({ name: "old", type: "bridge" }).cniVersion, "0.1.0");
});

test("a single configuration without a type is an error, and a list is told its place", () => {
  assert.throws(() => parseConf({ name: "old" }), {
    code: 7,
    message: /type: expected the name of an executable/,
  });
  assert.throws(() => parseConf(example), { code: 7, message: "missing plugin type", details: /\.conflist/ });
});

test("keys that only a runtime sets are accepted and can be listed", () => {
  const plugin = { type: "x", args: {}, runtimeConfig: {}, "cni.dev/a": 1, prevResult: {}, ipam: {} };
  assert.deepEqual(parseConfigList(list({ plugins: [plugin] })).plugins, [plugin]);
  assert.deepEqual(reservedKeys(plugin), ["args", "runtimeConfig", "cni.dev/a", "prevResult"]);
});

test("podman's own network is read", () => {
  const podman = {
    ...{ cniVersion: "0.4.0", name: "net1", args: { podman_options: { isolate: "true" } } },
    plugins: [
      {
        type: "bridge",
        ipam: { type: "host-local", ranges: [[{ subnet: "10.97.8.0/24" }]] },
        capabilities: { ips: true },
      },
      { type: "firewall", backend: "" },
    ],
  };
  assert.deepEqual(parseConfigList(podman).plugins, podman.plugins);
});
