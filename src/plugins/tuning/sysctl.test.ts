import assert from "node:assert/strict";
import { test } from "node:test";
import { CniError } from "../../spec/errors.ts";
import { hasDuplicateSysctl } from "./duplicates.ts";
import { isSameValue, sysctlName } from "./sysctl.ts";

test("names of sysctls, with dots or slashes", () => {
  for (const [key, ifName, name] of [
    ["net.core.somaxconn", "eth0", "net/core/somaxconn"],
    ["net/core/somaxconn", "eth0", "net/core/somaxconn"],
    ["net.ipv4.conf.IFNAME.arp_ignore", "eth0", "net/ipv4/conf/eth0/arp_ignore"],
    ["net.ipv4.conf.IFNAME.arp_ignore", "eth0.100", "net/ipv4/conf/eth0.100/arp_ignore"],
    ["net/ipv4/conf/IFNAME/arp_ignore", "eth0.100", "net/ipv4/conf/eth0.100/arp_ignore"],
    ["net.ipv4.conf.IFNAME.arp_ignore", "$&$1", "net/ipv4/conf/$&$1/arp_ignore"],
    ["net.ipv4.conf.eth0/100.forwarding", "eth0", "net/ipv4/conf/eth0.100/forwarding"],
    ["net/ipv4/conf/eth0.100/forwarding", "eth0", "net/ipv4/conf/eth0.100/forwarding"],
  ] as const)
    assert.equal(sysctlName(key, ifName), name);
});

test("what does not lie in net is no sysctl of a container", () => {
  for (const key of [
    ...[
      "",
      "net",
      "kernel.hostname",
      "kernel/hostname",
      "/net/core/somaxconn",
      "/proc/sys/net/core/somaxconn",
    ],
    ...[
      "net/../kernel/hostname",
      "net.//.kernel.hostname",
      "net/./core",
      "net..core",
      "net.core.",
      ".net.core",
    ],
    ...["network.x", "IFNAME", "IFNAME.core"],
  ])
    assert.throws(
      () => sysctlName(key, "eth0"),
      (error) =>
        error instanceof CniError &&
        error.code === 7 &&
        error.message === `invalid net sysctl key: ${JSON.stringify(key)}`,
      key,
    );
});

test("values are the same whatever separates their parts", () => {
  for (const [a, b, same] of [
    ["4096\t131072\t6291456\n", "4096 131072 6291456", true],
    ["1", "1", true],
    ["", "", true],
    ["1", "0", false],
    ["12", "1 2", false],
  ] as const)
    assert.equal(isSameValue(a, b), same);
});

test("a sysctl that is twice in a text of JSON is found, and nothing else", () => {
  for (const [json, duplicate] of [
    ['{"sysctl":{"a":"1","b":"2"}}', false],
    ['{"sysctl":{"a":"1","b":"2","a":"1"}}', true],
    ['{"sysctl":{"a":"1","\\u0061":"2"}}', true],
    ['{"sysctl":{"a":"1"},"SysCtl":{"a":"2"}}', true],
    ['{"sysctl" : {"a" : "a", "b" : "a"}, "a": 1, "a": 2}', false],
    ['{"args":{"cni":{"sysctl":{"a":"1","a":"2"}}},"x":{"a":1,"a":2}}', false],
    ['{"x":"{\\"sysctl\\":{","sysctl":{"a":"\\\\","c":"}"},"b":[{"a":1,"a":2}]}', false],
    ['{"sysctl":{"a":{"b":1,"b":2}}}', false],
  ] as const)
    assert.equal(hasDuplicateSysctl(json), duplicate, json);
});
