import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfigList } from "./config.ts";
import { deriveRequest, type RequestParts } from "./derive.ts";

function derive(plugin: object, parts?: RequestParts): unknown {
  const list = parseConfigList({ name: "net", cniVersion: "1.1.0", plugins: [{ type: "x", ...plugin }] });
  return deriveRequest(list, list.plugins[0]!, parts);
}

const base = { type: "x", cniVersion: "1.1.0", name: "net" };

test("version and name are the list's, also when the plugin has its own", () => {
  assert.deepEqual(derive({}), base);
  assert.deepEqual(derive({ name: "other", cniVersion: "0.2.0" }), base);
});

test("keys pass unaltered, except those beginning cni.dev/", () => {
  const keys = {
    a: { b: [1, null, "é"] },
    args: { cni: { ips: ["10.1.2.3"] } },
    "example.com/c": 1,
    ipam: {},
  };
  assert.deepEqual(derive({ ...keys, "cni.dev/attachments": [], "cni.dev/x": 1 }), { ...base, ...keys });
});

test("runtimeConfig holds the declared capabilities that were supplied; capabilities go", () => {
  const capabilityArgs = { portMappings: [{ hostPort: 1 }], mac: "00:00:5e:00:53:01", toString: 1 };
  const rows: [capabilities: object | null, runtimeConfig: object | undefined][] = [
    [{ portMappings: true }, { portMappings: [{ hostPort: 1 }] }],
    [
      { portMappings: true, mac: true, ips: true },
      { portMappings: [{ hostPort: 1 }], mac: "00:00:5e:00:53:01" },
    ],
    [{ portMappings: false }, undefined],
    [{ ips: true }, undefined],
    [{}, undefined],
    [null, undefined],
  ];
  for (const [capabilities, runtimeConfig] of rows) {
    const expected = { ...base, ...(runtimeConfig && { runtimeConfig }) };
    assert.deepEqual(derive({ capabilities }, { capabilityArgs }), expected, JSON.stringify(capabilities));
  }
});

test("a runtimeConfig of the file gives way to what is supplied", () => {
  const plugin = { capabilities: { mac: true }, runtimeConfig: { mac: "file" } };
  assert.deepEqual(derive(plugin), { ...base, runtimeConfig: { mac: "file" } });
  assert.deepEqual(derive(plugin, { capabilityArgs: { mac: "given" } }), {
    ...base,
    runtimeConfig: { mac: "given" },
  });
});

test("prevResult is the operation's, never the file's", () => {
  const prevResult = { cniVersion: "1.1.0", ips: [] };
  assert.deepEqual(derive({ prevResult: { stale: true } }), base);
  assert.deepEqual(derive({ prevResult: { stale: true } }, { prevResult }), { ...base, prevResult });
});

test("GC is told the valid attachments under both names, also when there are none", () => {
  for (const validAttachments of [[], [{ containerID: "a", ifname: "eth0" }]])
    assert.deepEqual(derive({}, { validAttachments }), {
      ...base,
      "cni.dev/valid-attachments": validAttachments,
      "cni.dev/attachments": validAttachments,
    });
});

test("the list is left as it was", () => {
  const list = parseConfigList({
    name: "net",
    plugins: [{ type: "x", capabilities: { mac: true }, "cni.dev/x": 1 }],
  });
  const before = structuredClone(list);
  deriveRequest(list, list.plugins[0]!, { capabilityArgs: { mac: "m" }, prevResult: {} });
  assert.deepEqual(list, before);
});
