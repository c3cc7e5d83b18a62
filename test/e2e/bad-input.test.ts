import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { findPlugin, pluginTypes } from "../../src/plugins/registry.ts";
import { show } from "../../src/spec/json.ts";
import type { Schema } from "../../src/spec/schema.ts";
import { plumb } from "../programs.ts";
import {
  type Asked,
  ask,
  askShell,
  type Environment,
  isRefused,
  succeeded,
  untouched,
  variables,
} from "./ask.ts";
import { type Json, World } from "./world.ts";

// Whatever is wrong: the right code, words that name it and say what to do, and nothing left behind.

const STATIC = { type: "static", addresses: [{ address: "10.1.2.3/24", gateway: "10.1.2.1" }] };
const HOST_LOCAL = { type: "host-local", ranges: [[{ subnet: "10.7.0.0/24" }]] };

const configOf = (type: string, more: object = {}) => ({ cniVersion: "1.1.0", name: "net", type, ...more });
const bridge = (more: object = {}) =>
  configOf("bridge", { bridge: "br0", isGateway: true, ipam: STATIC, ...more });

function add(world: World, config: Json, environment: Environment = {}, command = "ADD"): Asked {
  return ask(world, config.type, { ...variables(world, command), ...environment }, config);
}

describe("stdin", () => {
  const whole = JSON.stringify(bridge());
  const NOT_JSON = "the network configuration on stdin is not JSON";
  const NO_OBJECT = "the network configuration on stdin is not a JSON object";
  const rows: [what: string, stdin: string, msg: string | RegExp, details: string | RegExp][] = [
    ["empty", "", "the network configuration on stdin is empty", /runtime/],
    ["white space", " \n", "the network configuration on stdin is empty", /runtime/],
    [
      "cut off",
      whole.slice(0, 50),
      NOT_JSON,
      `Unexpected end of text in line 1, column 51, after ...${whole.slice(20, 50)}`,
    ],
    ["cut off within a key", '{"cniVer', NOT_JSON, /^Unexpected "\\"cniVer" in line 1, column 2, after \{$/],
    ["a comma too much", '{\n  "name": "net",\n}', NOT_JSON, 'Unexpected "}" in line 3, column 1'],
    ["quotes forgotten", '{"name": net}', NOT_JSON, 'Unexpected "net" in line 1, column 10, after {"name":'],
    ["a comment", "{} # no", NOT_JSON, 'Unexpected "#" in line 1, column 4, after {}'],
    ["YAML", "cniVersion: 1.1.0\nname: net\n", NOT_JSON, 'Unexpected "cniVersion" in line 1, column 1'],
    ["two objects", "{}{}", NOT_JSON, 'Unexpected "{" in line 1, column 3, after {}'],
    ["a byte order mark", `\ufeff${whole}`, NOT_JSON, /line 1, column 1$/],
    ["bytes", "\u0000\u0001", NOT_JSON, /^Unexpected "\\u0000" in line 1, column 1$/],
    ["a list", `[${whole}]`, NO_OBJECT, /^It reads \[\{/],
    ["a text", '"bridge"', NO_OBJECT, 'It reads "bridge".'],
    ["a number", "5", NO_OBJECT, "It reads 5."],
    ["null", "null", NO_OBJECT, "It reads null."],
    ["nested without end", "[".repeat(1e6), /^the network configuration on stdin is n/, /./],
    ["a version that is a number", '{"cniVersion":1.1}', "invalid cniVersion 1.1", 'It reads "1.1.0".'],
  ];
  test(
    "stdin that is no configuration is refused with the place",
    untouched((world) => {
      for (const [what, stdin, msg, details] of rows) {
        for (const command of ["ADD", "DEL", "STATUS"]) {
          const asked = ask(world, "bridge", variables(world, command), stdin);
          isRefused(asked, 6, msg, details);
          assert.equal(asked.output.cniVersion, "1.1.0", what);
        }
        if (stdin.trim() !== "")
          isRefused(ask(world, "bridge", { CNI_COMMAND: "VERSION" }, stdin), 6, msg, details);
      }
    }),
  );

  const names: [name: unknown, msg: string][] = [
    [undefined, "missing network name"],
    ["", "missing network name"],
    ["a/b", 'invalid network name "a/b"'],
    [".net", 'invalid network name ".net"'],
    [5, "invalid network name 5"],
    [{}, "invalid network name {}"],
  ];
  test(
    "a wrong name of the network is refused",
    untouched((world) => {
      for (const [name, msg] of names)
        for (const command of ["ADD", "DEL", "CHECK", "STATUS", "GC"])
          isRefused(add(world, bridge({ name }), {}, command), 7, msg, /begin with a letter or digit/);
    }),
  );

  test(
    "stdin that never ends is not waited for without end",
    untouched((world) => {
      const script = 'mkfifo /run/endless; exec 3<>/run/endless; printf "{" >&3; "$0" <&3';
      const environment = { ...variables(world, "ADD"), PLUMB_TIMEOUT_MS: "200" };
      isRefused(
        askShell(world, script, "bridge", environment),
        5,
        "stdin did not end within 0.2 s",
        /closes it\. PLUMB_TIMEOUT_MS/,
      );
      const version = 'exec 3<>/run/endless; "$0" <&3';
      const asked = askShell(world, version, "bridge", { CNI_COMMAND: "VERSION", PLUMB_TIMEOUT_MS: "200" });
      assert.equal(succeeded(asked).cniVersion, "1.1.0");
    }),
  );

  test(
    "stdin that is closed, or cannot be read, is told",
    untouched((world) => {
      const environment = variables(world, "ADD");
      isRefused(askShell(world, 'exec "$0" <&-', "bridge", environment), 6, /on stdin is empty$/);
      isRefused(askShell(world, 'exec "$0" </run', "bridge", environment), 5, "read stdin: EISDIR");
    }),
  );
});

describe("options", () => {
  const WITHOUT_OPTIONS = ["dummy", "loopback"];
  for (const type of pluginTypes)
    test(
      `options of ${type} with a value of the wrong kind are refused by name`,
      untouched(async (world) => {
        const { config: schema } = (await findPlugin(type))!;
        const cases = wrongValues(schema);
        assert.equal(cases.length === 0, WITHOUT_OPTIONS.includes(type));
        for (const { path, wrong, config } of cases) {
          const asked = add(world, configOf(type, config as object));
          isRefused(asked, 7, /^invalid configuration: |^Invalid (host|container) port number: /);
          const { msg, details } = asked.output;
          if (msg.startsWith("Invalid")) {
            // The reference's words; the key is in the details.
            assert.ok(msg.endsWith(`: ${show(wrong)}`) && details.startsWith(`${path} is `), details);
            continue;
          }
          assert.ok(msg.startsWith(`invalid configuration: ${path}: expected `), `${path}: ${msg}`);
          assert.ok(msg.endsWith(`, got ${show(wrong)}`), `${path}: ${msg}`);
        }
      }),
    );

  const rows: [ipam: Json, msg: string | RegExp][] = [
    ["host-local", 'invalid configuration: ipam: expected an object, got "host-local"'],
    [[HOST_LOCAL], /^invalid configuration: ipam: expected an object, got \[/],
    [{ type: 5 }, "invalid plugin type 5"],
    [{ type: "../bin/host-local" }, 'invalid plugin type "../bin/host-local"'],
    [{ type: ".." }, 'invalid plugin type ".."'],
    [{ type: "bridge" }, "plugin bridge gives no addresses"],
    [
      { type: "host-local", ranges: [[{ subnet: "10.7" }]] },
      /^invalid configuration: ipam\.ranges\[0\]\[0\]\.subnet: .* got "10\.7"$/,
    ],
  ];
  test(
    "a wrong ipam is refused, and nothing is left behind",
    untouched((world) => {
      for (const [ipam, msg] of rows)
        for (const type of ["bridge", "ptp"]) isRefused(add(world, { ...bridge({ ipam }), type }), 7, msg);
    }),
  );
});

interface WrongValue {
  readonly path: string;
  readonly wrong: unknown;
  readonly config: unknown;
}

/** Values that a schema must refuse, one at a time in a configuration that is right but for it. */
function wrongValues(schema: Schema<unknown>, path = "", place = (value: unknown) => value): WrongValue[] {
  const { shape } = schema;
  const wrong = (...values: unknown[]) =>
    values.map((value) => ({ path, wrong: value, config: place(value) }));
  switch (shape.kind) {
    case "string":
      return wrong(5, {}, ["x"], ...(shape.pattern ? unlike(shape.pattern) : []));
    case "parsed":
      return wrong("nonsense", 5, {});
    case "boolean":
      return wrong("yes", "true", 1);
    case "integer": {
      const { min, max } = shape;
      return wrong(
        "1",
        1.5,
        true,
        ...(min === undefined ? [] : [min - 1]),
        ...(max === undefined ? [] : [max + 1]),
      );
    }
    case "oneOf":
      return wrong("another", 5);
    case "array":
      return [...wrong("x", {}), ...wrongValues(shape.of, `${path}[0]`, (value) => place([value]))];
    case "object": {
      const inside = Object.entries(shape.fields).flatMap(([name, field]) =>
        wrongValues(field, path === "" ? name : `${path}.${name}`, (value) =>
          place({ ...(sample(schema) as object), [name]: value }),
        ),
      );
      return path === "" ? inside : [...wrong("x", [], 5), ...inside];
    }
    case "optional":
      return wrongValues(shape.of, path, place);
    case "dictionary":
      return [...wrong("x", []), ...wrongValues(shape.of, `${path}.x`, (value) => place({ x: value }))];
    case "anything":
      return [];
  }
}

function unlike(pattern: RegExp): string[] {
  const texts = ["/", "a b"].filter((text) => !pattern.test(text));
  assert.notEqual(texts.length, 0, `${pattern}`);
  return texts;
}

/** The least that a schema accepts. */
function sample({ shape }: Schema<unknown>): unknown {
  switch (shape.kind) {
    case "string":
      return "x";
    case "parsed":
      return / such as (\S+)$/.exec(shape.expected)![1];
    case "object": {
      const required = Object.entries(shape.fields).filter(([, { shape }]) => shape.kind !== "optional");
      return Object.fromEntries(required.map(([name, field]) => [name, sample(field)]));
    }
    case "array":
      return [];
    case "integer":
      return shape.min ?? 0;
    default:
      throw new Error(`no sample of ${shape.kind}`);
  }
}

describe("the container's namespace", () => {
  const rows: [netns: string, problem: string][] = [
    ["", "is empty"],
    ["/run/netns/gone", "does not exist"],
    ["/etc/passwd/ns", "does not exist"],
    ["/proc/4194305/ns/net", "does not exist"],
    ["/etc/passwd", "is not a network namespace"],
    ["/run", "is not a network namespace"],
    ["/dev/null", "is not a network namespace"],
    ["/proc/self/ns/mnt", "is not a network namespace"],
    ["/proc/self/ns/user", "is not a network namespace"],
    ["/run/fifo", "is not a network namespace"],
    ["/run/loop", "cannot be opened (ELOOP)"],
    [`/${"x".repeat(300)}`, "cannot be opened (ENAMETOOLONG)"],
  ];
  test(
    "a namespace that is none is refused with its path",
    untouched((world) => {
      world.must("mkfifo", "/run/fifo");
      world.must("ln", "-s", "loop", "/run/loop");
      for (const [netns, problem] of rows)
        for (const command of ["ADD", "CHECK"])
          for (const type of ["bridge", "ptp", "loopback"])
            isRefused(
              add(world, { ...bridge(), type }, { CNI_NETNS: netns }, command),
              8,
              `CNI_NETNS ${JSON.stringify(netns)} ${problem}`,
              /such as \/run\/netns\/NAME/,
            );
    }),
  );

  test(
    "a namespace that has the interface already is left as it is",
    untouched((world) => {
      const container = world.container("c2");
      container.must("ip", "link", "add", "eth0", "type", "bridge");
      for (const type of ["bridge", "ptp"])
        isRefused(
          add(world, { ...bridge({ ipam: HOST_LOCAL, ipMasq: true }), type }, variables(world, "ADD", "c2")),
          4,
          /\(eth0\) already exists$/,
          /another name, or run DEL/,
        );
      assert.equal(container.link().linkinfo.info_kind, "bridge");
    }),
  );
});

describe("who calls", () => {
  test(
    "who calls as another user than root is told so",
    untouched((world) => {
      const bin = join(world.bin, "public");
      for (const folder of [world.bin, bin]) {
        mkdirSync(folder, { recursive: true });
        chmodSync(folder, 0o755);
      }
      copyFileSync(plumb, join(bin, "plumb"));
      world.must("chmod", "755", "/var/lib/cni");
      const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", join(bin, "plumb")];
      const root = /^Run as root, or with the capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN\.$/;
      const rows: [type: string, code: number, msg: RegExp][] = [
        ["bridge", 100, /Operation not permitted, needs CAP_NET_ADMIN \(EPERM\)/],
        ["ptp", 100, /Operation not permitted, needs CAP_NET_ADMIN \(EPERM\)/],
        ["loopback", 5, /EPERM$/],
        ["host-local", 5, /^mkdir \/var\/lib\/cni\/networks: EACCES$/],
      ];
      for (const [type, code, msg] of rows)
        isRefused(
          ask(world, [...nobody, type], variables(world, "ADD"), { ...bridge({ ipam: HOST_LOCAL }), type }),
          code,
          msg,
          root,
        );
      // What needs no power works.
      succeeded(
        ask(world, [...nobody, "static"], variables(world, "ADD"), configOf("static", { ipam: STATIC })),
      );
      rmSync(bin, { recursive: true });
    }),
  );

  test("a result that nobody can take: ADD is undone", async (t) => {
    const world = await World.start(t);
    const container = world.container();
    const config = bridge({ ipMasq: true, ipam: HOST_LOCAL });
    for (const command of ["ADD", "DEL"]) succeeded(add(world, config, {}, command));
    world.must("ip", "link", "delete", "br0");
    const before = world.state();
    const rows = {
      EPIPE: 'mkfifo /run/gone; exec 4<>/run/gone 5>/run/gone 4<&-; "$0" >&5',
      ENOSPC: '"$0" >/dev/full',
    };
    for (const [reason, script] of Object.entries(rows)) {
      const { code, stdout, stderr } = askShell(world, script, "bridge", variables(world, "ADD"), config);
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(
        stderr,
        new RegExp(`^plumb: bridge: write stdout: ${reason}: \\{"cniVersion":"1\\.1\\.0","code":5,`),
      );
      assert.deepEqual(world.state(), before);
      assert.equal(container.link(), undefined);
    }
  });

  test(
    "who calls with stdout closed is served",
    untouched((world) => {
      for (const command of ["ADD", "DEL"])
        assert.equal(askShell(world, 'exec "$0" >&-', "bridge", variables(world, command), bridge()).code, 0);
      world.must("ip", "link", "delete", "br0");
    }),
  );
});

describe("addresses", () => {
  test("a range without free addresses has code 11", async (t) => {
    const world = await World.start(t);
    for (const id of ["c1", "c2"]) world.container(id);
    const config = bridge({ ipam: { type: "host-local", ranges: [[{ subnet: "10.7.0.0/30" }]] } });
    succeeded(add(world, config));
    const before = world.state();
    isRefused(
      add(world, config, variables(world, "ADD", "c2")),
      11,
      /no IP addresses available in range set: 10\.7\.0\.1-10\.7\.0\.2$/,
    );
    assert.deepEqual(world.state(), before);
    isRefused(
      add(world, config, {}, "STATUS"),
      50,
      "no IP addresses available in range set: 10.7.0.1-10.7.0.2",
    );
  });

  test(
    "a read-only directory for reservations is told",
    untouched((world) => {
      world.must("mkdir", "/run/read-only");
      world.must("mount", "-t", "tmpfs", "-o", "ro", "none", "/run/read-only");
      const config = bridge({ ipam: { ...HOST_LOCAL, dataDir: "/run/read-only" } });
      isRefused(
        add(world, config),
        5,
        /\/run\/read-only\/net.*: EROFS$/,
        /read-only: choose a directory that can be written/,
      );
      isRefused(add(world, config, {}, "STATUS"), 50, /\/run\/read-only.*EROFS$/, /must be writable/);
      succeeded(add(world, config, {}, "DEL"));
    }),
  );

  test(
    "a full disk: what it cannot keep is not given",
    untouched((world) => {
      world.must("mkdir", "/run/full");
      const config = bridge({ ipam: { ...HOST_LOCAL, dataDir: "/run/full" } });
      const outcomes = new Set<number>();
      // Room for as many pages and files, up to where all find a place.
      for (const [size, files] of [
        [1, 100],
        [2, 100],
        [3, 100],
        [4, 100],
        [100, 2],
        [100, 3],
        [100, 4],
        [100, 5],
        [100, 6],
        [100, 7],
        [100, 8],
      ]) {
        world.must(
          "mount",
          "-t",
          "tmpfs",
          "-o",
          `size=${size! * 4}k,nr_inodes=${files}`,
          "none",
          "/run/full",
        );
        const asked = add(world, config);
        if (asked.code !== 0)
          isRefused(asked, 5, /^\w+ \/run\/full\/.*: ENOSPC$/, /The disk is full: make room/);
        else succeeded(add(world, config, {}, "DEL"));
        outcomes.add(asked.code!);
        const found = world.must("find", "/run/full", "-name", "10.*").trim();
        assert.equal(found, "", `${size} pages, ${files} files`);
        // With room again it goes on where it was.
        world.must("mount", "-o", "remount,size=1m,nr_inodes=100", "/run/full");
        const { ips } = succeeded(add(world, config));
        assert.match(ips[0].address, /^10\.7\.0\.[23]\/24$/);
        succeeded(add(world, config, {}, "DEL"));
        world.must("umount", "/run/full");
        world.exec(["ip", "link", "delete", "br0"]);
      }
      assert.deepEqual([...outcomes].sort(), [0, 1]);
    }),
  );
});
