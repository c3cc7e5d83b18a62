import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { buildProgram } from "../programs.ts";
import { ask, isRefused, succeeded, variables } from "./ask.ts";
import { World } from "./world.ts";

// A plugin of twenty lines (examples/island.ts), built as anybody would build it.

let program = "";
before(() => {
  program = buildProgram("examples/island.ts");
});

const IPAM = { type: "host-local", ranges: [[{ subnet: "10.7.0.0/24" }]], routes: [{ dst: "0.0.0.0/0" }] };
const config = (more: object = {}) => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "island",
  ipam: IPAM,
  ...more,
});

async function start(t: Parameters<typeof World.start>[0]) {
  const world = await World.start(t);
  symlinkSync(program, join(world.bin, "island"));
  const call = (command: string, stdin: object) => ask(world, "island", variables(world, command), stdin);
  return { world, container: world.container(), call };
}

test("its ADD and DEL do what its functions say, in any version", async (t) => {
  const { world, container, call } = await start(t);
  for (const cniVersion of ["0.2.0", "0.4.0", "1.1.0"]) {
    const result = succeeded(call("ADD", config({ cniVersion, mtu: 1400 })));
    assert.equal(result.cniVersion, cniVersion);
    const { mtu, address } = container.link();
    assert.equal(mtu, 1400);
    if (cniVersion === "1.1.0")
      assert.deepEqual(result.interfaces, [{ name: "eth0", mac: address, sandbox: "/run/netns/c1" }]);
    assert.deepEqual(Object.values(world.reserved()), ["c1 eth0"]);
    assert.deepEqual(
      container.addresses(),
      Object.keys(world.reserved()).map((held) => `${held}/24`),
    );
    assert.deepEqual(container.routes(), ["default via 10.7.0.1 dev eth0", "10.7.0.0/24 dev eth0"]);
    for (let times = 0; times < 2; times++) succeeded(call("DEL", config({ cniVersion })));
    assert.deepEqual(world.reserved(), {});
    assert.equal(container.link(), undefined);
  }
});

test("what it leaves to the skeleton is there: VERSION, CHECK, STATUS, GC, about", async (t) => {
  const { world, call } = await start(t);
  assert.equal(succeeded(ask(world, "island", { CNI_COMMAND: "VERSION" })).supportedVersions.length, 7);
  assert.match(ask(world, "island", {}).stderr, /^CNI island plugin/);
  for (const command of ["CHECK", "STATUS", "GC"])
    assert.equal(succeeded(call(command, config({ "cni.dev/valid-attachments": [] }))), undefined);
});

test("wrong configurations and variables are refused before its functions are called", async (t) => {
  const { world, call } = await start(t);
  isRefused(
    call("ADD", config({ mtu: 9 })),
    7,
    "invalid configuration: mtu: expected a whole number from 68 up to 65535, got 9",
  );
  isRefused(call("ADD", config({ cniVersion: "9.9.9" })), 1, "incompatible CNI versions");
  isRefused(ask(world, "island", { CNI_COMMAND: "ADD" }, config()), 4, /^required env variables/);
});

test("an ADD that fails half way is undone", async (t) => {
  const { world, container, call } = await start(t);
  const routes = [{ dst: "10.99.0.0/24", gw: "10.98.0.1" }];
  isRefused(
    call("ADD", config({ ipam: { ...IPAM, routes } })),
    100,
    /Network is unreachable|Nexthop has invalid gateway/,
  );
  assert.equal(container.link(), undefined);
  assert.deepEqual(world.reserved(), {});
});
