import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, askShell, isRefused, succeeded, variables } from "./ask.ts";
import { World } from "./world.ts";

// CNI_NETNS: the ways in which runtimes write it, and the namespace that it must not be.

const IPAM = { type: "static", addresses: [{ address: "10.1.2.3/24", gateway: "10.1.2.1" }] };

const configOf = (type: string, more: object = {}) => ({ cniVersion: "1.1.0", name: "net", type, ...more });
const bridge = (more: object = {}) => configOf("bridge", { bridge: "br0", ipam: IPAM, ...more });

// Each leads to the namespace of c1 by another way; $0 is the plugin.
const ways: [what: string, script: string, netns: string][] = [
  ["/run/netns", 'exec "$0"', "/run/netns/c1"],
  ["/var/run/netns", 'exec "$0"', "/var/run/netns/c1"],
  ["with dots and double slashes", 'exec "$0"', "/run//netns/../netns/./c1"],
  ["a relative path", 'cd /run/netns && exec "$0"', "c1"],
  ["a symbolic link", 'ln -sf /run/netns/c1 /run/link && exec "$0"', "/run/link"],
  [
    "a bind mount anywhere",
    '[ -e /run/bound ] || { touch /run/bound && mount --bind /run/netns/c1 /run/bound; } && exec "$0"',
    "/run/bound",
  ],
  [
    "/proc/PID/ns/net",
    'ip netns exec c1 sleep 60 & until [ "$(readlink /proc/$!/exe)" = /usr/bin/sleep ]; do :; done; CNI_NETNS=/proc/$!/ns/net "$0"; code=$?; kill $!; exit $code',
    "",
  ],
  ["/proc/PID/fd/N of the caller", 'exec 9</run/netns/c1; CNI_NETNS=/proc/$$/fd/9 "$0"', ""],
  [
    "/proc/self/fd/N, leaked to the plugin",
    'exec 9</run/netns/c1 3</dev/null 4<&9; CNI_NETNS=/proc/self/fd/9 exec "$0"',
    "",
  ],
];
test("CNI_NETNS leads to the container, however it is written", async (t) => {
  const world = await World.start(t);
  const container = world.container();
  for (const [what, script, netns] of ways) {
    const environment = { ...variables(world, "ADD"), CNI_NETNS: netns };
    const { interfaces } = succeeded(askShell(world, script, "bridge", environment, bridge()));
    assert.deepEqual(container.addresses(), ["10.1.2.3/24"], what);
    if (netns !== "") assert.equal(interfaces[2].sandbox, netns);
    succeeded(askShell(world, script, "bridge", { ...environment, CNI_COMMAND: "DEL" }, bridge()));
    assert.equal(container.link(), undefined, what);
  }
});

test("CNI_NETNS must not be the plugin's own namespace, and nothing is made before that is known", async (t) => {
  const world = await World.start(t);
  const before = world.state();
  const own = { CNI_NETNS: "/proc/self/ns/net" };
  for (const name of ["bridge", "ptp", "loopback"])
    for (const override of [undefined, "", "0", "no"]) {
      const environment = { ...variables(world, "ADD"), ...own, CNI_NETNS_OVERRIDE: override };
      const asked = ask(world, name, environment, configOf(name, { ipam: IPAM }));
      isRefused(asked, 8, /^CNI_NETNS "\/proc\/self\/ns\/net" is .*own/);
    }
  assert.deepEqual(world.state(), before);
});

test("CNI_NETNS may be the plugin's own namespace with CNI_NETNS_OVERRIDE", async (t) => {
  const world = await World.start(t);
  for (const override of ["1", "true", "TRUE"]) {
    const environment = {
      ...variables(world, "ADD"),
      CNI_NETNS: "/proc/self/ns/net",
      CNI_NETNS_OVERRIDE: override,
    };
    succeeded(ask(world, "bridge", environment, bridge()));
    assert.deepEqual(world.addresses("eth0"), ["10.1.2.3/24"]);
    succeeded(ask(world, "bridge", { ...environment, CNI_COMMAND: "DEL" }, bridge()));
    assert.equal(world.link("eth0"), undefined);
  }
});

test("CNI_NETNS that is the plugin's own by mistake does not let DEL take the host's interface", async (t) => {
  const world = await World.start(t);
  world.must("ip", "link", "add", "eth0", "type", "bridge");
  const environment = { ...variables(world, "DEL"), CNI_NETNS: "/proc/self/ns/net" };
  for (const name of ["bridge", "ptp"])
    succeeded(ask(world, name, environment, configOf(name, { ipam: IPAM })));
  assert.ok(world.link("eth0"));
});

test("CNI_NETNS may be empty, unset or gone at DEL", async (t) => {
  const world = await World.start(t);
  world.container();
  for (const netns of ["", undefined, "/run/netns/gone", "/proc/4194305/ns/net", "/dev/null"]) {
    succeeded(ask(world, "bridge", variables(world, "ADD"), bridge()));
    succeeded(ask(world, "bridge", { ...variables(world, "DEL"), CNI_NETNS: netns }, bridge()));
    assert.deepEqual(world.veths(), []);
  }
});
