import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { pluginTypes } from "../../src/plugins/registry.ts";
import { VERSIONS } from "../../src/spec/versions.ts";
import { ask, type Environment, isRefused, succeeded, variables } from "./ask.ts";
import { minimal } from "./minimal.ts";
import { type Json, World } from "./world.ts";

// What holds for each plugin of the executable: a test per property and plugin.

interface Subject {
  readonly world: World;
  readonly config: Json;
  /** Calls the plugin for the container c1. */
  call(command: string, more?: Json, environment?: Environment): ReturnType<typeof ask>;
}

/** A test of each plugin on one host; every one must leave the host as it was. */
function ofEach(
  work: (subject: Subject) => void,
  prepare = (_: World) => {},
): (t: TestContext) => Promise<void> {
  return async (t) => {
    const world = await World.start(t);
    prepare(world);
    const container = world.container();
    const state = () => ({ ...world.state(), inside: container.ip("address", "show") });
    const before = state();
    for (const [type, rest] of Object.entries(minimal))
      await t.test(type, () => {
        const config = { cniVersion: "1.1.0", name: "net", type, ...rest };
        const call: Subject["call"] = (command, more = {}, environment = {}) => {
          const stdin = typeof more === "string" ? more : { ...config, ...more };
          return ask(world, type, { ...variables(world, command), ...environment }, stdin);
        };
        work({ world, config, call });
        assert.deepEqual(state(), before);
      });
  };
}

/** Success without a word. */
const SILENCE = { code: 0, stdout: "", stderr: "", output: undefined };

test("these are tests of all plugins that there are", () => {
  assert.deepEqual(Object.keys(minimal).sort(), pluginTypes);
});

test(
  "every plugin answers VERSION in every version",
  ofEach(({ call }) => {
    for (const cniVersion of VERSIONS)
      assert.deepEqual(succeeded(call("VERSION", { cniVersion })), {
        cniVersion,
        supportedVersions: VERSIONS,
      });
  }),
);

const SUPPORTED = VERSIONS.map((version) => `"${version}"`).join(" ");
const IFNAME = "interface name contains / or : or whitespace characters";
const wrongs: [
  more: Json,
  environment: Environment,
  code: number,
  msg: string | RegExp,
  details?: string | RegExp,
][] = [
  [{}, { CNI_CONTAINERID: undefined }, 4, "required env variables [CNI_CONTAINERID] missing"],
  [{}, { CNI_CONTAINERID: "../c1" }, 4, "invalid characters in containerID"],
  [{}, { CNI_IFNAME: "a/b" }, 4, IFNAME],
  [
    { cniVersion: "9.9.9" },
    {},
    1,
    "incompatible CNI versions",
    `config is "9.9.9", plugin supports [${SUPPORTED}]`,
  ],
  ["}", {}, 6, "the network configuration on stdin is not JSON", /^Unexpected "}" in line 1, column 1/],
  [{ name: "a/b" }, {}, 7, 'invalid network name "a/b"'],
];
test(
  "every plugin refuses what is wrong in the call",
  ofEach(({ call, config }) => {
    for (const [more, environment, code, msg, details] of wrongs)
      for (const command of ["ADD", "DEL"]) isRefused(call(command, more, environment), code, msg, details);
    // IPAM plugins look at no namespace.
    if (config.type === "host-local" || config.type === "static") return;
    isRefused(call("ADD", {}, { CNI_NETNS: "/run/netns/gone" }), 8, /\/run\/netns\/gone" does not exist$/);
    isRefused(call("ADD", {}, { CNI_NETNS: "/proc/self/ns/net" }), 8, /is the namespace of the host/);
  }),
);

test(
  "every plugin's DEL with nothing there succeeds and prints nothing",
  ofEach(({ call }) => {
    for (const environment of [
      {},
      { CNI_NETNS: "" },
      { CNI_NETNS: undefined },
      { CNI_NETNS: "/run/netns/gone" },
      { CNI_NETNS: "/proc/4194305/ns/net" },
      { CNI_CONTAINERID: "never-added" },
    ])
      assert.deepEqual(call("DEL", {}, environment), SILENCE, JSON.stringify(environment));
    const prevResult = {
      cniVersion: "1.1.0",
      interfaces: [
        { name: "gone0", mac: "02:00:00:00:00:09" },
        { name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/c1" },
      ],
      ips: [{ address: "10.7.0.2/24", gateway: "10.7.0.1", interface: 1 }],
    };
    for (const cniVersion of VERSIONS) assert.deepEqual(call("DEL", { cniVersion, prevResult }), SILENCE);
  }),
);

test(
  "every plugin's GC on a fresh host succeeds and makes nothing",
  ofEach(({ call }) => {
    const one = { containerID: "c1", ifname: "eth0" };
    for (const list of [[], [one]])
      assert.deepEqual(call("GC", { "cni.dev/valid-attachments": list }), SILENCE);
  }),
);

// Whether the kernel has such links or not: the addresses are there, the link and its master have gone.
for (const type of ["ipvlan", "macvlan", "vlan"])
  test(`${type}: DEL gives the addresses back, also without the master`, async (t) => {
    const w = await World.start(t);
    const c1 = w.container();
    const config = { type, ...minimal[type] };
    for (const more of [{}, { master: "" }, { linkInContainer: true }]) {
      w.add({ ...config, type: "host-local" }, c1);
      assert.deepEqual(Object.values(w.reserved()), ["c1 eth0"]);
      w.del({ ...config, ...more }, c1);
      assert.deepEqual(w.reserved(), {});
    }
  });

/** Links that not every kernel has. */
const KINDS: Readonly<Record<string, string>> = {
  dummy: "type dummy",
  ipvlan: "link m0 type ipvlan",
  macvlan: "link m0 type macvlan",
  vlan: "link m0 type vlan id 9",
  vrf: "type vrf table 9",
};

function hasKernel(world: World, kind: string): boolean {
  const { code } = world.exec(["ip", "link", "add", "probe", ...kind.split(" ")]);
  if (code === 0) world.must("ip", "link", "delete", "probe");
  return code === 0;
}

test(
  "every plugin's STATUS succeeds where ADD could, and says what the kernel lacks where it could not",
  ofEach(
    ({ world, config, call }) => {
      const asked = call("STATUS");
      if (config.type === "dhcp") {
        isRefused(asked, 50, /^error dialing DHCP daemon: /);
        return;
      }
      const kind = KINDS[config.type];
      if (kind === undefined || hasKernel(world, kind)) assert.deepEqual(asked, SILENCE);
      else isRefused(asked, 50, /^the kernel has no /);
    },
    (world) => {
      for (const name of ["m0", "dev0"]) world.must("ip", "link", "add", name, "type", "bridge");
    },
  ),
);

test(
  "every plugin's CHECK fails where nothing was added",
  ofEach(({ call, config }) => {
    // What static gives is in its configuration.
    if (config.type === "static") return;
    const asked = call("CHECK");
    assert.equal(asked.code, 1);
    // 11: no daemon of dhcp is there to ask.
    assert.ok([7, 11, 100].includes(asked.output.code), asked.stdout);
  }),
);
