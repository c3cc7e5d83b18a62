import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { openHost } from "../host/node.node.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import {
  absolutePath,
  attachmentOf,
  attachmentOptions,
  existingAttachment,
  openRuntime,
  parametersOf,
} from "./environment.ts";

function hostWith(variables: Record<string, string>) {
  const host = openHost();
  host.variable = (name) => variables[name];
  return host;
}

const typed = (...words: string[]): Arguments => parseArguments(words, attachmentOptions);

test("a path from the root is what Node makes of it", () => {
  const host = openHost();
  const part = fc.constantFrom("", ".", "..", "a", "b.c");
  fc.assert(
    fc.property(fc.array(part), fc.boolean(), (parts, fromRoot) => {
      const path = (fromRoot ? "/" : "") + parts.join("/");
      assert.equal(absolutePath(host, path), resolve(path));
    }),
  );
});

test("the container ID is cnitool's, unless --id says it", () => {
  const { containerId, netns, ifName } = attachmentOf(hostWith({}), typed(), "/run//netns/x/../blue");
  assert.deepEqual([netns, ifName], ["/run/netns/blue", "eth0"]);
  assert.equal(
    containerId,
    `cnitool-${createHash("sha512").update("/run/netns/blue").digest("hex").slice(0, 20)}`,
  );
  assert.equal(attachmentOf(hostWith({}), typed("--id", "web"), "/run/netns/blue").containerId, "web");
});

test("of an attachment that exists, NETNS may be missing or empty with --id alone", () => {
  const host = hostWith({});
  const existing = (...words: string[]) =>
    existingAttachment(host, typed(...words), openRuntime(host)).attachment;
  assert.deepEqual(existing("--id", "web", "n"), { containerId: "web", netns: "", ifName: "eth0" });
  assert.deepEqual(existing("--id", "web", "n", ""), { containerId: "web", netns: "", ifName: "eth0" });
  assert.equal(existing("--id", "web", "n", "/x").netns, "/x");
  assert.throws(() => existing("n"), { message: "NETNS is missing" });
  assert.throws(() => existing("n", ""), { message: "NETNS is empty" });
});

test("the interface's name comes from the option, else from the environment", () => {
  const host = hostWith({ CNI_IFNAME: "net7" });
  assert.equal(attachmentOf(host, typed(), "/x").ifName, "net7");
  assert.equal(attachmentOf(host, typed("--ifname", "net8"), "/x").ifName, "net8");
  assert.equal(attachmentOf(hostWith({ CNI_IFNAME: "" }), typed(), "/x").ifName, "eth0");
});

test("arguments and capability arguments; unset and empty are left out", () => {
  assert.deepEqual(parametersOf(hostWith({ CNI_ARGS: "", CAP_ARGS: "" })), {});
  assert.deepEqual(parametersOf(hostWith({ CNI_ARGS: "A=1;B=2", CAP_ARGS: '{"mac":"m"}' })), {
    args: [
      ["A", "1"],
      ["B", "2"],
    ],
    capabilityArgs: { mac: "m" },
  });
  for (const CAP_ARGS of ["{", "[]", "null", "1"])
    assert.throws(() => parametersOf(hostWith({ CAP_ARGS })), {
      code: 4,
      message: /CAP_ARGS is no JSON object/,
    });
  assert.throws(() => parametersOf(hostWith({ CNI_ARGS: "A" })), { code: 4 });
});
