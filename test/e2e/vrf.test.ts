import assert from "node:assert/strict";
import { test } from "node:test";
import { type Json, World } from "./world.ts";

// What vrf does without a VRF. With VRFs it is tested on the full kernel: test/vm/vrf-plugin.test.ts.

const bridge = { type: "bridge", ipam: { type: "static", addresses: [{ address: "10.1.0.2/24" }] } };

test("bad input is refused, and nothing is left", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const state = () => [c1.ip("address", "show"), c1.routes(), c1.ip("rule", "show")];
  const before = state();
  const name = "expected the name of a VRF, 15 characters at most, got";
  const rows: [config: Json, prevResult: Json, msg: string][] = [
    [{ vrfname: "blue" }, undefined, "missing prevResult from earlier plugin"],
    [{}, prevResult, `invalid configuration: vrfname: ${name} nothing`],
    [{ vrfname: "" }, prevResult, `invalid configuration: vrfname: ${name} ""`],
    [{ vrfname: "a/b" }, prevResult, `invalid configuration: vrfname: ${name} "a/b"`],
    [{ vrfname: "blue%d" }, prevResult, `invalid configuration: vrfname: ${name} "blue%d"`],
    [
      { vrfname: "sixteencharacter" },
      prevResult,
      `invalid configuration: vrfname: ${name} "sixteencharacter"`,
    ],
    [
      { vrfname: "blue", table: -1 },
      prevResult,
      "invalid configuration: table: expected a whole number from 0 up to 4294967295, got -1",
    ],
    [{ vrfname: "eth0" }, prevResult, '"eth0" already exists but is not a VRF'],
  ];
  for (const [config, given, msg] of rows) {
    const error = w.refused("ADD", { type: "vrf", ...config }, c1, { prevResult: given });
    assert.deepEqual([error.code, error.msg], [7, msg]);
    assert.deepEqual(state(), before);
  }
});

test("CHECK, DEL and GC where there is no VRF", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const config = { type: "vrf", vrfname: "blue" };
  const error = w.refused("CHECK", config, c1, { prevResult });
  assert.deepEqual([error.code, error.msg], [100, "VRF blue is missing in /run/netns/c1"]);
  assert.equal(w.refused("CHECK", config, c1).msg, "missing prevResult from earlier plugin");
  w.del(config, c1, { prevResult });
  w.del({ type: "vrf", vrfname: "eth0" }, c1, { prevResult });
  w.gc(config, []);
  assert.deepEqual(c1.addresses(), ["10.1.0.2/24"]);
  w.del(config, c1, { netns: "" });
  c1.vanish();
  w.del(config, c1, { prevResult });
});

test("a kernel without VRFs says so, and nothing is left", async (t) => {
  const w = await World.start(t);
  if (w.exec(["ip", "link", "add", "probe", "type", "vrf", "table", "9"]).code === 0)
    return t.skip("the kernel has VRFs");
  const c1 = w.container();
  const config = { type: "vrf", vrfname: "blue" };
  assert.deepEqual(w.refused("STATUS", config), {
    cniVersion: "1.1.0",
    code: 50,
    msg: "the kernel has no VRFs",
    details: "It was built without CONFIG_NET_VRF, or its module vrf is not installed.",
  });
  const prevResult = w.add(bridge, c1);
  const before = c1.ip("address", "show");
  const { code, msg } = w.refused("ADD", config, c1, { prevResult });
  assert.equal(code, 100);
  assert.match(msg, /^cannot create vrf blue: Not supported by this kernel \(EOPNOTSUPP\)/);
  assert.deepEqual(c1.ip("address", "show"), before);
});
