import assert from "node:assert/strict";
import { copyFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pluginTypes } from "../../src/plugins/registry.ts";
import { plumb } from "../programs.ts";
import {
  type Asked,
  ask,
  askShell,
  type Environment,
  isRefused,
  SHELL,
  succeeded,
  variables,
} from "./ask.ts";
import { minimal } from "./minimal.ts";
import { type Json, World } from "./world.ts";

// What the specification says of every plugin: how it is called, and what it answers.

const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const IPAM = { type: "static", addresses: [{ address: "10.1.2.3/24", gateway: "10.1.2.1" }] };

const configOf = (type: string, more: object = {}) => ({ cniVersion: "1.1.0", name: "net", type, ...more });
const bridge = (more: object = {}) => configOf("bridge", { bridge: "br0", ipam: IPAM, ...more });

describe("which plugin it is", () => {
  const version = { CNI_COMMAND: "VERSION" };

  test("the name by which plumb is called says which plugin it is", async (t) => {
    const world = await World.start(t);
    const script = 'exec -a "$1" "$0"';
    for (const name of pluginTypes) {
      const about = new RegExp(`^CNI ${name} plugin`);
      assert.match(ask(world, name, {}).stderr, about);
      for (const called of [name, `./${name}`, `/no/such/place/${name}`])
        assert.match(ask(world, [...SHELL, script, plumb, called], {}).stderr, about);
    }
    // No name at all: the kernel knows the path.
    assert.match(ask(world, [...SHELL, script, join(world.bin, "ptp"), ""], {}).stderr, /^CNI ptp plugin/);
    copyFileSync(plumb, join(world.bin, "copy"));
    assert.match(ask(world, [...SHELL, script, join(world.bin, "copy"), "static"], {}).stderr, /^CNI static/);
  });

  test("the first argument of plumb says which plugin it is", async (t) => {
    const world = await World.start(t);
    for (const name of pluginTypes)
      assert.deepEqual(succeeded(ask(world, [plumb, name], version)).supportedVersions, VERSIONS);
  });

  test("under another name plumb tells a runtime that it is no plugin, and people how to use it", async (t) => {
    const world = await World.start(t);
    symlinkSync(plumb, join(world.bin, "calico"));
    for (const command of ["ADD", "VERSION", "STATUS"])
      isRefused(
        ask(world, "calico", { CNI_COMMAND: command }, configOf("calico")),
        7,
        'plumb has no plugin "calico"',
        /: bandwidth, bridge, .*vrf\.$/,
      );
    const { code, stdout, stderr } = ask(world, "calico", {});
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, /Usage/i);
  });

  test("without CNI_COMMAND a plugin introduces itself, with success", async (t) => {
    const world = await World.start(t);
    for (const environment of [{}, { CNI_COMMAND: "" }])
      assert.deepEqual(ask(world, "bridge", environment), {
        code: 0,
        stdout: "",
        stderr: `CNI bridge plugin (plumb)\nCNI protocol versions supported: ${VERSIONS.join(", ")}\n`,
        output: undefined,
      });
  });
});

describe("VERSION", () => {
  const DUMMY = { CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy" };
  const rows: [what: string, stdin: string, cniVersion: string][] = [
    ["the version of the configuration", '{"cniVersion":"0.4.0"}', "0.4.0"],
    ["a whole configuration", JSON.stringify(bridge({ cniVersion: "0.3.1" })), "0.3.1"],
    ["a version that nobody knows", '{"cniVersion":"9.9.9"}', "9.9.9"],
    ["a configuration without version", "{}", "0.1.0"],
    ["an empty version", '{"cniVersion":""}', "0.1.0"],
    ["the key in another case", '{"CNIVersion":"1.0.0"}', "1.0.0"],
    ["nothing", "", "1.1.0"],
    ["white space", "\n", "1.1.0"],
  ];
  test("VERSION is answered in the version that stdin says", async (t) => {
    const world = await World.start(t);
    for (const [what, stdin, cniVersion] of rows)
      for (const environment of [{}, DUMMY]) {
        const asked = ask(world, "loopback", { CNI_COMMAND: "VERSION", ...environment }, stdin);
        assert.deepEqual(succeeded(asked), { cniVersion, supportedVersions: VERSIONS }, what);
      }
  });

  test("VERSION: every plugin supports all versions", async (t) => {
    const world = await World.start(t);
    for (const name of pluginTypes)
      assert.deepEqual(succeeded(ask(world, name, { CNI_COMMAND: "VERSION" })).supportedVersions, VERSIONS);
  });

  test("VERSION does not wait for who types at a terminal", async (t) => {
    const world = await World.start(t);
    const call = `CNI_COMMAND=VERSION ${join(world.bin, "bridge")}`;
    // script(1) gives a terminal, on which nobody types.
    const { code, stdout } = world.exec(["script", "-qec", call, "/dev/null"]);
    assert.equal(code, 0);
    assert.match(stdout, /"cniVersion":"1\.1\.0"/);
  });
});

describe("variables", () => {
  const REQUIRED: Readonly<Record<string, readonly string[]>> = {
    ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    DEL: ["CNI_CONTAINERID", "CNI_IFNAME"],
    STATUS: [],
    GC: [],
  };
  test("variables that are required and missing are named, and no others are asked for", async (t) => {
    const world = await World.start(t);
    world.container();
    for (const [command, required] of Object.entries(REQUIRED)) {
      const whole = variables(world, command);
      const without = (names: readonly string[]) =>
        Object.fromEntries(Object.entries(whole).filter(([name]) => !names.includes(name)));
      const refused = (missing: readonly string[]) =>
        isRefused(
          ask(world, "bridge", without(missing), bridge()),
          4,
          `required env variables [${missing.join(",")}] missing`,
          `CNI_COMMAND is ${command}.`,
        );
      for (const name of required) refused([name]);
      if (required.length > 0) refused(required);
      const others = Object.keys(whole).filter((name) => name !== "CNI_COMMAND" && !required.includes(name));
      const stdin = bridge({ "cni.dev/valid-attachments": [] });
      const asked = ask(world, "bridge", without(others), stdin);
      // Nothing was added that CHECK could find.
      if (command === "CHECK") isRefused(asked, 100, /prevResult is missing/);
      else succeeded(asked);
    }
  });

  test("an unknown command is named, with those that are known", async (t) => {
    const world = await World.start(t);
    for (const command of ["UPDATE", "add", "ADD ", "toString"])
      isRefused(
        ask(world, "bridge", { ...variables(world, "ADD"), CNI_COMMAND: command }, bridge()),
        4,
        `unknown CNI_COMMAND: "${command}"`,
        /ADD, DEL, CHECK, STATUS, GC and VERSION/,
      );
  });

  const NAME = /^The interface name is /;
  const rows: [environment: Environment, code: number, msg: string, details: RegExp][] = [
    [{ CNI_CONTAINERID: "" }, 3, "missing containerID", /CNI_CONTAINERID is empty/],
    [{ CNI_CONTAINERID: "a b" }, 4, "invalid characters in containerID", /CNI_CONTAINERID is "a b"/],
    [
      { CNI_CONTAINERID: "../x" },
      4,
      "invalid characters in containerID",
      /must begin with a letter or digit/,
    ],
    [{ CNI_CONTAINERID: "-a" }, 4, "invalid characters in containerID", /"-a"/],
    [{ CNI_CONTAINERID: "ä" }, 4, "invalid characters in containerID", /"ä"/],
    [{ CNI_IFNAME: "" }, 4, "interface name is empty", NAME],
    [{ CNI_IFNAME: "sixteen-letters-" }, 4, "interface name is longer than 15 bytes", NAME],
    [{ CNI_IFNAME: "." }, 4, "interface name is . or ..", NAME],
    [{ CNI_IFNAME: ".." }, 4, "interface name is . or ..", NAME],
    [{ CNI_IFNAME: "a/b" }, 4, "interface name contains / or : or whitespace characters", NAME],
    [{ CNI_IFNAME: "a:b" }, 4, "interface name contains / or : or whitespace characters", NAME],
    [{ CNI_IFNAME: "a b" }, 4, "interface name contains / or : or whitespace characters", NAME],
    [{ PLUMB_TIMEOUT_MS: "soon" }, 4, 'invalid PLUMB_TIMEOUT_MS "soon"', /milliseconds/],
  ];
  test("variables with wrong values are refused, at every command", async (t) => {
    const world = await World.start(t);
    world.container();
    for (const [environment, code, msg, details] of rows)
      for (const command of ["ADD", "CHECK", "DEL"]) {
        const asked = ask(world, "bridge", { ...variables(world, command), ...environment }, bridge());
        isRefused(asked, code, msg, details);
      }
  });
});

describe("CNI_ARGS", () => {
  const KUBERNETES = [
    "IgnoreUnknown=1",
    "K8S_POD_NAMESPACE=default",
    "K8S_POD_NAME=web-0",
    "K8S_POD_INFRA_CONTAINER_ID=0123456789abcdef",
    "K8S_POD_UID=f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
  ];
  const add = (world: World, args: string | undefined, command = "ADD") =>
    ask(world, "bridge", { ...variables(world, command), CNI_ARGS: args }, bridge());

  test("CNI_ARGS unset, empty, in any order, with more than is known: accepted", async (t) => {
    const world = await World.start(t);
    world.container();
    for (const args of [
      undefined,
      "",
      KUBERNETES.join(";"),
      KUBERNETES.toReversed().join(";"),
      "ANY=;IgnoreUnknown=true",
      "IP=10.1.2.9/24",
      `MAC=02:11:22:33:44:55;IP=10.1.2.9/24;${KUBERNETES.join(";")}`,
    ]) {
      const { interfaces, ips } = succeeded(add(world, args));
      if (args?.includes("MAC")) assert.equal(interfaces[2].mac, "02:11:22:33:44:55");
      if (args?.includes("IP=")) assert.equal(ips[1].address, "10.1.2.9/24");
      succeeded(add(world, args, "DEL"));
    }
  });

  test("CNI_ARGS malformed or unknown: refused by name, and no reason not to delete", async (t) => {
    const world = await World.start(t);
    world.container();
    const before = world.state();
    const rows: [args: string, msg: string][] = [
      ["IP", 'CNI_ARGS: invalid pair "IP"'],
      ["IP=1=2", 'CNI_ARGS: invalid pair "IP=1=2"'],
      ["IP=;", 'CNI_ARGS: invalid pair ""'],
      ["=x", 'CNI_ARGS: invalid pair "=x"'],
      ["FOO=1;BAR=2", "CNI_ARGS: unknown args FOO, BAR"],
      ["FOO=1;IgnoreUnknown=0", "CNI_ARGS: unknown args FOO"],
      ["FOO=1;IgnoreUnknown=perhaps", 'CNI_ARGS: invalid IgnoreUnknown "perhaps"'],
      ["MAC=02:11", 'CNI_ARGS: invalid MAC "02:11"'],
    ];
    for (const [args, msg] of rows) {
      isRefused(add(world, args), 4, msg);
      succeeded(add(world, args, "DEL"));
    }
    assert.deepEqual(
      world.state().links.filter(({ ifname }: Json) => ifname !== "br0"),
      before.links,
    );
  });
});

describe("stdin", () => {
  const config = bridge({
    dns: {},
    capabilities: { mac: true, io: true },
    runtimeConfig: {
      mac: "02:11:22:33:44:55",
      "io.kubernetes.cri.pod-annotations": { "kubernetes.io/config.seen": "2026-01-01T00:00:00Z" },
    },
    args: { podman_options: {} },
    plugin: { of: ["another", { kind: null }] },
    mtu: null,
  });
  const reversed = Object.fromEntries(Object.entries(config).toReversed());
  const forms: [what: string, stdin: string][] = [
    ["one line", JSON.stringify(config)],
    ["one line with its end", `${JSON.stringify(config)}\n`],
    ["many lines", JSON.stringify(config, undefined, 2)],
    ["tabs and carriage returns", JSON.stringify(config, undefined, "\t").replaceAll("\n", "\r\n")],
    ["keys in the other order", JSON.stringify(reversed)],
    ["keys as Go writes them", capitalised(JSON.stringify(config))],
    ["everything that is not ASCII escaped", JSON.stringify(config).replace("net", "\\u006eet")],
    ["a megabyte of what nobody knows", JSON.stringify({ ...config, more: "x".repeat(1 << 20) })],
  ];
  test("stdin may be written in any way that JSON allows, with keys that nobody knows", async (t) => {
    const world = await World.start(t);
    const container = world.container();
    for (const [what, stdin] of forms) {
      const { ips, dns, interfaces } = succeeded(ask(world, "bridge", variables(world, "ADD"), stdin));
      assert.deepEqual(
        [ips[0].address, dns, interfaces[2].mac],
        ["10.1.2.3/24", undefined, "02:11:22:33:44:55"],
        what,
      );
      assert.equal(world.link("br0").mtu, 1500);
      succeeded(ask(world, "bridge", variables(world, "DEL"), stdin));
      assert.equal(container.link(), undefined);
    }
  });

  test("stdin may have capabilities with Go's names", async (t) => {
    const world = await World.start(t);
    const ranges = [[{ Subnet: "10.7.0.0/24", RangeStart: "10.7.0.9", Gateway: "10.7.0.254" }]];
    const config = configOf("host-local", {
      ipam: { type: "host-local", Routes: [{ Dst: "0.0.0.0/0", GW: "10.7.0.254" }] },
      RuntimeConfig: { IPRanges: ranges, "io.kubernetes.cri.pod-annotations": {} },
    });
    const result = succeeded(ask(world, "host-local", variables(world, "ADD"), config));
    assert.deepEqual(result.ips, [{ address: "10.7.0.9/24", gateway: "10.7.0.254" }]);
    assert.deepEqual(result.routes, [{ dst: "0.0.0.0/0", gw: "10.7.0.254" }]);
    succeeded(ask(world, "host-local", variables(world, "DEL"), config));
    assert.deepEqual(world.reserved(), {});
  });

  test("stdin may come in pieces", async (t) => {
    const world = await World.start(t);
    world.container();
    const text = JSON.stringify(bridge());
    const script = `(for part in "$1" "$2" "$3"; do printf %s "$part"; done) | "$0"`;
    const parts = [text.slice(0, 1), text.slice(1, 60), text.slice(60)];
    const command = [...SHELL, script, join(world.bin, "bridge"), ...parts];
    succeeded(ask(world, command, variables(world, "ADD")));
  });
});

/** Keys begin with a capital, as those of Go's structs. */
function capitalised(json: string): string {
  return json.replace(
    /"([a-z])(\w*)":/g,
    (_, first: string, rest: string) => `"${first.toUpperCase()}${rest}":`,
  );
}

test("descriptors that the caller leaks do no harm", async (t) => {
  const world = await World.start(t);
  world.container();
  const script =
    'for fd in {3..40}; do eval "exec $fd</proc/self/ns/net"; done; exec 9</run/netns/c1; exec "$0"';
  succeeded(askShell(world, script, "bridge", variables(world, "ADD"), bridge()));
  succeeded(askShell(world, script, "bridge", variables(world, "DEL"), bridge()));
});

test("a chained plugin without interface of its own gives prevResult back, also without any", async (t) => {
  const world = await World.start(t);
  world.container();
  const asked: Asked = ask(
    world,
    "loopback",
    variables(world, "ADD"),
    configOf("loopback", { cniVersion: "0.3.1" }),
  );
  assert.deepEqual(succeeded(asked).interfaces, [
    { name: "lo", mac: "00:00:00:00:00:00", sandbox: "/run/netns/c1" },
  ]);
});

test("GC wants a list of what stays", async (t) => {
  const world = await World.start(t);
  for (const name of pluginTypes) {
    const gc = (more: object) =>
      ask(world, name, { CNI_COMMAND: "GC", CNI_PATH: world.bin }, configOf(name, more));
    isRefused(gc({}), 7, "GC without a list of valid attachments", /must list what is to stay/);
    isRefused(gc({ "cni.dev/valid-attachments": {} }), 7, "GC without a list of valid attachments");
    for (const entry of ["c1", {}, { containerID: "c1" }, { containerID: 1, ifname: "eth0" }])
      isRefused(
        gc({ "cni.dev/valid-attachments": [entry] }),
        7,
        /^invalid entry .* in cni\.dev\/valid-attachments$/,
      );
    for (const key of ["cni.dev/valid-attachments", "cni.dev/attachments"])
      for (const list of [[], [{ containerID: "c1", ifname: "eth0" }]])
        assert.equal(succeeded(gc({ ...minimal[name], [key]: list })), undefined);
  }
});

test("success without a result prints nothing", async (t) => {
  const world = await World.start(t);
  world.container();
  const result = succeeded(ask(world, "bridge", variables(world, "ADD"), bridge()));
  for (const [command, more] of [
    ["CHECK", { prevResult: result }],
    ["STATUS", {}],
    ["GC", { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] }],
    ["DEL", { prevResult: result }],
  ] as const)
    assert.deepEqual(ask(world, "bridge", variables(world, command), bridge(more)), {
      code: 0,
      stdout: "",
      stderr: "",
      output: undefined,
    });
});
