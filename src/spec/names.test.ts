import assert from "node:assert/strict";
import { test } from "node:test";
import { parseContainerId, parseIfName, parseNetworkName, parsePluginType } from "./names.ts";

const goodNames = [
  "a",
  "7",
  "dummy",
  "a_b.c-d",
  "A9",
  `${"x".repeat(200)}`,
  "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
];
const badNames = ["_a", ".a", "-a", "..", "a/b", "a b", "a\n", "ä", "a:b", "a;b"];

test("a container ID is letters, digits, _ . and -", () => {
  for (const name of goodNames) assert.equal(parseContainerId(name), name);
  for (const name of badNames)
    assert.throws(
      () => parseContainerId(name),
      { code: 4, message: "invalid characters in containerID" },
      name,
    );
});

test("an empty container ID has code 3", () => {
  assert.throws(() => parseContainerId(""), { code: 3 });
});

test("a network name is letters, digits, _ . and -", () => {
  for (const name of goodNames) assert.equal(parseNetworkName(name), name);
  for (const name of [...badNames, "", undefined, 5])
    assert.throws(() => parseNetworkName(name), { code: 7, message: /network name/ }, String(name));
});

test("an interface name has 1 to 15 bytes and none that the kernel refuses", () => {
  for (const name of ["eth0", "a", "lo", "...", "net1.100", "exactly15bytes_", "äöüäöüä", "x@y"])
    assert.equal(parseIfName(name), name);
  const rows: [name: string, message: string][] = [
    ["", "interface name is empty"],
    ["sixteen_bytes_16", "interface name is longer than 15 bytes"],
    ["äöüäöüäö", "interface name is longer than 15 bytes"],
    ["🐧🐧🐧🐧", "interface name is longer than 15 bytes"],
    [".", "interface name is . or .."],
    ["..", "interface name is . or .."],
    ["eth/0", "interface name contains / or : or whitespace characters"],
    ["eth:0", "interface name contains / or : or whitespace characters"],
    ["eth 0", "interface name contains / or : or whitespace characters"],
    ["eth\t0", "interface name contains / or : or whitespace characters"],
    ["eth%d", "interface name contains %"],
  ];
  for (const [name, message] of rows) assert.throws(() => parseIfName(name), { code: 4, message }, name);
});

test("a plugin's type is the name of an executable without a directory", () => {
  for (const type of ["bridge", "host-local", "my_plugin.v2", "..."])
    assert.equal(parsePluginType(type), type);
  for (const type of ["", ".", "..", "a/b", "/bin/sh", "..\\b", "a\0b", undefined, 5, null])
    assert.throws(() => parsePluginType(type), { code: 7, message: /plugin type/ }, String(type));
});
