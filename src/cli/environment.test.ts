import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { openHost } from "../host/node.node.ts";
import { absolutePath, attachmentOf, parametersOf } from "./environment.ts";

function hostWith(variables: Record<string, string>) {
  const host = openHost();
  host.variable = (name) => variables[name];
  return host;
}

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

test("the container ID is cnitool's", () => {
  const { containerId, netns, ifName } = attachmentOf(hostWith({}), "/run//netns/x/../blue", undefined);
  assert.deepEqual([netns, ifName], ["/run/netns/blue", "eth0"]);
  assert.equal(
    containerId,
    `cnitool-${createHash("sha512").update("/run/netns/blue").digest("hex").slice(0, 20)}`,
  );
});

test("the interface's name comes from the option, else from the environment", () => {
  const host = hostWith({ CNI_IFNAME: "net7" });
  assert.equal(attachmentOf(host, "/x", undefined).ifName, "net7");
  assert.equal(attachmentOf(host, "/x", "net8").ifName, "net8");
  assert.equal(attachmentOf(hostWith({ CNI_IFNAME: "" }), "/x", undefined).ifName, "eth0");
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
