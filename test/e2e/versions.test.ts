import assert from "node:assert/strict";
import { test } from "node:test";
import { type CniVersion, VERSIONS } from "../../src/spec/versions.ts";
import { ask, isRefused, succeeded, variables } from "./ask.ts";
import { type Json, World } from "./world.ts";

// Every version of the specification: who may ask for what in it, what is read, and what is answered.

const IPAM = { type: "static", addresses: [{ address: "10.1.2.3/24", gateway: "10.1.2.1" }] };

const configOf = (type: string, more: object = {}) => ({ cniVersion: "1.1.0", name: "net", type, ...more });
const bridge = (more: object = {}) => configOf("bridge", { bridge: "br0", ipam: IPAM, ...more });

const IP4 = { ip: "10.1.2.3/24", gateway: "10.1.2.1", routes: [{ dst: "0.0.0.0/0" }] };
const INTERFACES = [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/c1" }];
const ROUTES = [{ dst: "0.0.0.0/0" }];
const ADDRESS = { interface: 0, address: "10.1.2.3/24", gateway: "10.1.2.1" };
const DNS = { nameservers: ["10.1.2.1"] };

/** The same result in each version. */
const RESULTS = {
  "0.1.0": { cniVersion: "0.1.0", ip4: IP4, dns: DNS },
  "0.2.0": { cniVersion: "0.2.0", ip4: IP4, dns: DNS },
  "0.3.0": {
    cniVersion: "0.3.0",
    interfaces: INTERFACES,
    ips: [{ version: "4", ...ADDRESS }],
    routes: ROUTES,
    dns: DNS,
  },
  "0.3.1": {
    cniVersion: "0.3.1",
    interfaces: INTERFACES,
    ips: [{ version: "4", ...ADDRESS }],
    routes: ROUTES,
    dns: DNS,
  },
  "0.4.0": {
    cniVersion: "0.4.0",
    interfaces: INTERFACES,
    ips: [{ version: "4", ...ADDRESS }],
    routes: ROUTES,
    dns: DNS,
  },
  "1.0.0": { cniVersion: "1.0.0", interfaces: INTERFACES, ips: [ADDRESS], routes: ROUTES, dns: DNS },
  "1.1.0": {
    cniVersion: "1.1.0",
    interfaces: [{ ...INTERFACES[0], mtu: 1400 }],
    ips: [ADDRESS],
    routes: [{ ...ROUTES[0], priority: 7, table: 0, scope: 0 }],
    dns: DNS,
  },
};

function addressOf(result: Json): string {
  return result.ip4?.ip ?? result.ips[0].address;
}

/** The keys by which versions differ. */
function shapeOf({ cniVersion, ip4, ips, dns, interfaces }: Json): Json {
  return { cniVersion, ip4, family: ips?.[0].version, interfaces: interfaces?.length, dns };
}

function expectedShape(cniVersion: CniVersion): Json {
  const at = VERSIONS.indexOf(cniVersion);
  if (at < VERSIONS.indexOf("0.3.0"))
    return { cniVersion, ip4: IP4, family: undefined, interfaces: undefined, dns: {} };
  const old = at < VERSIONS.indexOf("1.0.0");
  return {
    cniVersion,
    ip4: undefined,
    family: old ? "4" : undefined,
    interfaces: 3,
    dns: old ? {} : undefined,
  };
}

const SUPPORTED = VERSIONS.map((version) => `"${version}"`).join(" ");

test("an unknown version is refused with those that are known, at every command", async (t) => {
  const world = await World.start(t);
  for (const name of ["bridge", "host-local", "loopback", "ptp", "static"])
    for (const command of ["ADD", "DEL", "CHECK", "STATUS", "GC"])
      for (const cniVersion of ["9.9.9", "1.0", "x"]) {
        const asked = ask(world, name, variables(world, command), configOf(name, { cniVersion }));
        isRefused(
          asked,
          1,
          "incompatible CNI versions",
          `config is "${cniVersion}", plugin supports [${SUPPORTED}]`,
        );
        assert.equal(asked.output.cniVersion, cniVersion);
      }
});

const SINCE: Readonly<Record<string, CniVersion>> = { CHECK: "0.4.0", STATUS: "1.1.0", GC: "1.1.0" };
test("a version that does not have an operation refuses it", async (t) => {
  const world = await World.start(t);
  for (const [command, since] of Object.entries(SINCE))
    for (const cniVersion of VERSIONS.slice(0, VERSIONS.indexOf(since)))
      isRefused(
        ask(world, "bridge", variables(world, command), bridge({ cniVersion })),
        1,
        `config version does not allow ${command}`,
        `cniVersion is ${cniVersion}; ${command} came with ${since}.`,
      );
});

test("a configuration without version is 0.1.0", async (t) => {
  const world = await World.start(t);
  world.container();
  const config = bridge({ cniVersion: undefined });
  assert.deepEqual(Object.keys(succeeded(ask(world, "bridge", variables(world, "ADD"), config))), [
    "cniVersion",
    "ip4",
    "dns",
  ]);
  isRefused(
    ask(world, "bridge", variables(world, "CHECK"), config),
    1,
    "config version does not allow CHECK",
  );
  succeeded(ask(world, "bridge", variables(world, "DEL"), config));
});

test("ADD answers in the configuration's version", async (t) => {
  const world = await World.start(t);
  world.container();
  const routes = [{ dst: "0.0.0.0/0" }];
  for (const cniVersion of VERSIONS) {
    const config = bridge({ cniVersion, ipam: { ...IPAM, routes } });
    const result = succeeded(ask(world, "bridge", variables(world, "ADD"), config));
    assert.deepEqual(shapeOf(result), expectedShape(cniVersion));
    succeeded(ask(world, "bridge", variables(world, "DEL"), config));
  }
});

test("prevResult is read in every version, and given back by a plugin that adds nothing", async (t) => {
  const world = await World.start(t);
  world.container();
  for (const [cniVersion, prevResult] of Object.entries(RESULTS)) {
    const config = configOf("loopback", { cniVersion, prevResult });
    assert.deepEqual(succeeded(ask(world, "loopback", variables(world, "ADD"), config)), prevResult);
  }
});

test("prevResult is read in the version that it says it has, else in the configuration's", async (t) => {
  const world = await World.start(t);
  world.container();
  for (const [from, prevResult] of Object.entries(RESULTS))
    for (const cniVersion of VERSIONS) {
      const config = configOf("loopback", { cniVersion, prevResult });
      const result = succeeded(ask(world, "loopback", variables(world, "ADD"), config));
      assert.deepEqual(addressOf(result), "10.1.2.3/24", `${from} in ${cniVersion}`);
    }
  const { cniVersion: _, ...nameless } = RESULTS["0.2.0"];
  const config = configOf("loopback", { cniVersion: "0.2.0", prevResult: nameless });
  assert.equal(addressOf(succeeded(ask(world, "loopback", variables(world, "ADD"), config))), "10.1.2.3/24");
});

test("a prevResult that is none is refused, and does not stop DEL", async (t) => {
  const world = await World.start(t);
  world.container();
  const rows: [prevResult: Json, code: number, msg: RegExp][] = [
    ["x", 6, /invalid result: expected an object, got "x"/],
    [[], 6, /expected an object, got \[\]/],
    [{ ips: [{ address: "10.1" }] }, 6, /result\.ips\[0\]\.address: expected a network .* got "10\.1"/],
    [{ cniVersion: "9.9.9" }, 1, /unknown version "9\.9\.9"/],
  ];
  for (const [prevResult, code, msg] of rows) {
    for (const command of ["ADD", "CHECK"])
      isRefused(ask(world, "bridge", variables(world, command), bridge({ prevResult })), code, msg);
    succeeded(ask(world, "bridge", variables(world, "DEL"), bridge({ prevResult })));
  }
});

test("a result that cannot be said in the version leaves nothing behind", async (t) => {
  const world = await World.start(t);
  world.container();
  const before = world.state();
  const rows: [config: Json, msg: string][] = [
    [bridge({ cniVersion: "0.2.0", ipam: undefined }), "cannot convert: no valid IP addresses"],
    [
      bridge({
        cniVersion: "0.2.0",
        ipam: { type: "host-local", ranges: [[{ subnet: "10.7.0.0/24" }], [{ subnet: "10.8.0.0/24" }]] },
      }),
      "CNI version 0.2.0 does not support more than 1 address per family",
    ],
  ];
  for (const [config, msg] of rows)
    isRefused(ask(world, "bridge", variables(world, "ADD"), config), 7, msg, /0\.3\.0/);
  assert.deepEqual(world.state(), before);
});
