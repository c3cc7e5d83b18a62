import assert from "node:assert/strict";
import { test } from "node:test";
import { attachment, networkOf, Scripted } from "./scripted.node.ts";

async function withThree(s: Scripted, network = networkOf(["a", "b"])) {
  const runtime = s.runtime();
  for (const containerId of ["c1", "c2", "c3"])
    await runtime.add(network, { ...attachment, containerId, args: [["ID", containerId]] });
  await runtime.add(networkOf(["a"], { name: "other" }), attachment);
  return runtime;
}

const valid = [{ containerID: "c2", ifname: "eth0" }];

test("GC deletes what is cached and not valid, then tells every plugin what stays", async (t) => {
  const s = new Scripted(t);
  for (const name of ["a", "b"]) s.plugin(name, "");
  const runtime = await withThree(s);
  await runtime.gc(networkOf(["a", "b"]), valid);
  const calls = s.calls().slice(7);
  assert.deepEqual(
    calls.map(({ plugin, env }) => `${env["CNI_COMMAND"]} ${plugin} ${env["CNI_ARGS"]}`),
    ["DEL b ID=c1", "DEL a ID=c1", "DEL b ID=c3", "DEL a ID=c3", "GC a undefined", "GC b undefined"],
  );
  for (const { request, env } of calls.slice(4)) {
    assert.deepEqual(request["cni.dev/valid-attachments"], valid);
    assert.deepEqual(request["cni.dev/attachments"], valid);
    assert.equal(env["CNI_CONTAINERID"], undefined);
  }
  assert.deepEqual(
    runtime.attachments().attachments.map(({ network, containerId }) => `${network} ${containerId}`),
    ["net1 c2", "other c1"],
  );
  assert.equal(runtime.attachments("c2").attachments.length, 1);
});

test("plugins of a network below version 1.1.0 get DEL only", async (t) => {
  const s = new Scripted(t);
  for (const name of ["a", "b"]) s.plugin(name, "");
  const network = networkOf(["a", "b"], { cniVersion: "1.0.0" });
  const runtime = await withThree(s, network);
  await runtime.gc(network, valid);
  assert.deepEqual(s.order().slice(7), ["DEL b", "DEL a", "DEL b", "DEL a"]);
});

test("disableGC forbids all of it", async (t) => {
  const s = new Scripted(t);
  for (const name of ["a", "b"]) s.plugin(name, "");
  const runtime = await withThree(s);
  await runtime.gc(networkOf(["a", "b"], { disableGC: true }), []);
  assert.equal(s.calls().length, 7);
});

test("GC goes on past errors and reports all, unreadable cache entries too", async (t) => {
  const s = new Scripted(t);
  s.plugin(
    "a",
    `case $CNI_COMMAND-$CNI_CONTAINERID in DEL-c1|GC-) echo '{"code":111,"msg":"stuck"}'; exit 1;; esac`,
  );
  s.plugin("b", "");
  const runtime = await withThree(s);
  const bad = s.file("cache/results/net1-c9-eth0", "{");
  s.file("cache/results/another-c9-eth0", "{");
  await assert.rejects(runtime.gc(networkOf(["a", "b"]), valid), {
    code: 6,
    message: `cannot clean up network "net1": 3 failures, the first: cannot tell whose cache entry ${bad} is`,
    details: [
      `cannot tell whose cache entry ${bad} is`,
      'plugin type="a" failed (delete): stuck',
      'plugin type="a" failed (gc): stuck',
    ].join("\n"),
  });
  assert.deepEqual(s.order().slice(7), ["DEL b", "DEL a", "DEL b", "DEL a", "GC a", "GC b"]);
  assert.deepEqual(
    runtime.attachments().attachments.map(({ network, containerId }) => `${network} ${containerId}`),
    ["net1 c1", "net1 c2", "other c1"],
  );
});
