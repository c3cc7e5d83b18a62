import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { plumb } from "../programs.ts";
import { type Asked, ask, type Environment, isRefused, succeeded, variables } from "./ask.ts";
import { besideReference, type Json, reference, World } from "./world.ts";

// IPAM plugins behind a main plugin: in the same process where they are plumb's own, else as the specification says.

const STATIC = { type: "static", addresses: [{ address: "10.1.2.3/24" }] };
const HOST_LOCAL = { type: "host-local", ranges: [[{ subnet: "10.7.0.0/24" }]] };
const SCRIPTED = { type: "scripted" };

const configOf = (ipam: object, more: object = {}) => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "bridge",
  bridge: "br0",
  ipam,
  ...more,
});

function call(world: World, command: string, config: Json, environment: Environment = {}): Asked {
  return ask(world, config.type, { ...variables(world, command), ...environment }, config);
}

/** A delegate that is a shell script. It writes down how it was called. */
class Scripted {
  readonly world: World;
  readonly #notes: string;

  constructor(world: World) {
    this.world = world;
    this.#notes = join(world.bin, "notes");
  }

  /** What it does; $CNI_COMMAND tells the command. */
  does(script: string): this {
    rmSync(this.#notes, { recursive: true, force: true });
    mkdirSync(this.#notes);
    const note = (name: string) => `${this.#notes}/$CNI_COMMAND.${name}`;
    const file = join(this.world.bin, "scripted");
    writeFileSync(
      file,
      [
        "#!/bin/sh",
        `echo $CNI_COMMAND >> ${this.#notes}/commands`,
        `cat /proc/$$/environ > ${note("environment")}`,
        `pwd > ${note("directory")}`,
        `cat > ${note("stdin")}`,
        script,
      ].join("\n"),
    );
    chmodSync(file, 0o755);
    return this;
  }

  /** On ADD prints this result. */
  gives(result: object): this {
    return this.does(`test $CNI_COMMAND != ADD || echo '${JSON.stringify(result)}'`);
  }

  noted(command: string, what: "environment" | "stdin" | "directory"): string {
    return readFileSync(join(this.#notes, `${command}.${what}`), "utf8");
  }

  /** The commands with which it was called, in order. */
  commands(): string[] {
    try {
      return readFileSync(join(this.#notes, "commands"), "utf8").trim().split("\n");
    } catch {
      return [];
    }
  }
}

async function scripted(t: TestContext) {
  const world = await World.start(t);
  return { world, container: world.container(), delegate: new Scripted(world) };
}

describe("the process", () => {
  /** Runs ADD in a process namespace of its own; gives how many processes that took. */
  function processesOfAdd(world: World, environment: Environment, directory: string): number {
    const script = 'cd "$1" && "$0" >&2 && exec cat /proc/sys/kernel/ns_last_pid';
    const command = [
      "unshare",
      "--pid",
      "--fork",
      "--mount-proc",
      "sh",
      "-c",
      script,
      join(world.bin, "bridge"),
      directory,
    ];
    const asked = ask(world, command, { ...variables(world, "ADD"), ...environment }, configOf(STATIC));
    assert.equal(asked.code, 0, asked.stderr);
    assert.match(asked.stderr, /"address":"10\.1\.2\.3\/24"/);
    succeeded(call(world, "DEL", configOf(STATIC)));
    // The first is the shell, which becomes cat.
    return asked.output - 1;
  }

  const ways: [
    what: string,
    processes: number,
    prepare: (folder: string, world: World) => string | undefined,
  ][] = [
    ["a link to our executable", 1, (folder) => place(symlinkSync, plumb, folder)],
    ["a link to a link to it", 1, (folder, world) => place(symlinkSync, join(world.bin, "ptp"), folder)],
    ["the executable by another name of the same file", 1, (folder) => place(linkSync, plumb, folder)],
    [
      "a bind mount of it",
      1,
      (folder, world) => {
        writeFileSync(join(folder, "static"), "");
        world.must("mount", "--bind", plumb, join(folder, "static"));
        return folder;
      },
    ],
    ["a relative path", 1, (folder) => place(symlinkSync, plumb, folder) && "."],
    ["dots, double slashes and empty entries", 1, (folder) => `:${place(symlinkSync, plumb, folder)}//./:`],
    [
      "folders before it that are not there, or no folders",
      1,
      (folder) => `/none:/etc/passwd:${place(symlinkSync, plumb, folder)}`,
    ],
    [
      "a folder before it that has a folder of the name",
      1,
      (folder) => {
        mkdirSync(join(folder, "first/static"), { recursive: true });
        return `${join(folder, "first")}:${place(symlinkSync, plumb, folder)}`;
      },
    ],
    ["nothing", 1, () => "/none"],
    ["nothing, CNI_PATH is empty", 1, () => ""],
    ["nothing, CNI_PATH is not set", 1, () => undefined],
    ["a copy of our executable", 2, (folder) => place(copyFileSync, plumb, folder)],
    [
      "a link to such a copy",
      2,
      (folder) => {
        copyFileSync(plumb, join(folder, "copy"));
        return place(symlinkSync, "copy", folder);
      },
    ],
    [
      "another program",
      2,
      (folder) => {
        const result = { cniVersion: "1.1.0", ips: [{ address: "10.1.2.3/24" }] };
        writeFileSync(join(folder, "static"), `#!/bin/sh\necho '${JSON.stringify(result)}'\n`, {
          mode: 0o755,
        });
        return folder;
      },
    ],
    [
      "another program first, our executable later",
      2,
      (folder, world) => {
        copyFileSync(plumb, join(folder, "static"));
        return `${folder}:${world.bin}`;
      },
    ],
    [
      "our executable first, another program later",
      1,
      (folder, world) => {
        copyFileSync(plumb, join(folder, "static"));
        return `${world.bin}:${folder}`;
      },
    ],
  ];
  for (const [what, processes, prepare] of ways)
    test(`a delegate's process is ${processes === 1 ? "our own" : "another"} where CNI_PATH leads to ${what}`, async (t) => {
      const world = await World.start(t);
      world.container();
      // Beside plumb: a second name must be on its file system.
      const folder = mkdtempSync(join(dirname(plumb), "ipam-"));
      t.after(() => rmSync(folder, { recursive: true }));
      const path = prepare(folder, world);
      assert.equal(processesOfAdd(world, { CNI_PATH: path }, folder), processes);
    });

  function place(how: (from: string, to: string) => void, from: string, folder: string): string {
    how(from, join(folder, "static"));
    return folder;
  }

  test("a delegate that is a link to us by a name that we do not know says so", async (t) => {
    const { world, container } = await scripted(t);
    symlinkSync(plumb, join(world.bin, "scripted"));
    isRefused(call(world, "ADD", configOf(SCRIPTED)), 7, 'plumb has no plugin "scripted"');
    assert.equal(container.link(), undefined);
  });
});

describe("a delegate is called as the specification says", () => {
  const RESULT = { cniVersion: "1.1.0", ips: [{ address: "10.9.0.2/24", gateway: "10.9.0.1" }] };
  const commands = (result: Json): [command: string, more: object][] => [
    ["ADD", {}],
    ["CHECK", { prevResult: result }],
    ["STATUS", {}],
    ["GC", { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] }],
    ["DEL", { prevResult: result }],
  ];

  test("a delegate is called at every command, with the whole configuration as it came", async (t) => {
    const { world, delegate } = await scripted(t);
    for (const type of ["bridge", "ptp"]) {
      delegate.gives(RESULT);
      let result: Json;
      for (const [command, more] of commands({})) {
        const prevResult = "prevResult" in more && { prevResult: result };
        const config = {
          ...configOf(SCRIPTED),
          type,
          ...more,
          ...prevResult,
          Unknown: ["ü", 1.0],
          empty: null,
        };
        // Nothing is put in order on the way.
        const stdin = `\n ${JSON.stringify(config, undefined, "\t").replace("ü", "\\u00fc")}\r\n`;
        result = succeeded(ask(world, type, variables(world, command), stdin)) ?? result;
        assert.equal(delegate.noted(command, "stdin"), stdin);
      }
      assert.deepEqual(delegate.commands(), ["ADD", "CHECK", "STATUS", "GC", "DEL"]);
    }
  });

  test("a delegate is called in the same environment and directory", async (t) => {
    const { world, delegate } = await scripted(t);
    delegate.gives(RESULT);
    let result: Json;
    for (const [command, more] of commands({})) {
      const environment: Record<string, string> = {
        ...variables(world, command),
        PATH: process.env["PATH"]!,
        CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=web-0",
        CNI_COMMAND_OF_ANOTHER: "x",
        TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        EMPTY: "",
        LINES: "a b\nc=d\n",
        UNICODE: "ü",
      };
      const prevResult = "prevResult" in more && { prevResult: result };
      const shell = ["sh", "-c", 'cd /var && exec "$0"', join(world.bin, "bridge")];
      result =
        succeeded(ask(world, shell, environment, configOf(SCRIPTED, { ...more, ...prevResult }))) ?? result;
      const all = delegate.noted(command, "environment").split("\0").slice(0, -1);
      // Who tells its errors; it is the caller's.
      assert.equal(all.filter((entry) => /^PLUMB_ERRORS_TO=\d+$/.test(entry)).length, 1);
      const given = all.filter((entry) => !entry.startsWith("PLUMB_ERRORS_TO="));
      // The shell that starts plumb adds its own.
      const expected = Object.entries({ ...environment, PWD: "/var" }).map(
        ([name, value]) => `${name}=${value}`,
      );
      assert.deepEqual(given.filter((entry) => !/^(OLDPWD|SHLVL|_)=/.test(entry)).sort(), expected.sort());
      assert.equal(delegate.noted(command, "directory"), "/var\n");
    }
  });

  test("what a delegate writes to stderr is forwarded", async (t) => {
    const { world, delegate } = await scripted(t);
    delegate.does(`echo "$CNI_COMMAND: ü" >&2; test $CNI_COMMAND != ADD || echo '${JSON.stringify(RESULT)}'`);
    for (const command of ["ADD", "STATUS", "DEL"]) {
      const { code, stderr } = call(world, command, configOf(SCRIPTED));
      assert.deepEqual([code, stderr], [0, `${command}: ü\n`]);
    }
  });

  test("a delegate's stdout counts at ADD only", async (t) => {
    const { world, delegate } = await scripted(t);
    delegate.does(`test $CNI_COMMAND = ADD && echo '${JSON.stringify(RESULT)}' || echo done`);
    const prevResult = succeeded(call(world, "ADD", configOf(SCRIPTED)));
    for (const [command, more] of commands(prevResult).slice(1))
      assert.equal(succeeded(call(world, command, configOf(SCRIPTED, more))), undefined);
  });

  test("a delegate's errors are passed on, with code and details", async (t) => {
    const { world, container, delegate } = await scripted(t);
    const prevResult = succeeded(delegate.gives(RESULT) && call(world, "ADD", configOf(SCRIPTED)));
    const error = JSON.stringify({ cniVersion: "1.1.0", code: 51, msg: "no", details: "why" });
    delegate.does(`echo '${error}'; exit 1`);
    const rows = {
      CHECK: "no",
      STATUS: "no",
      GC: "cannot release stale addresses: no",
      DEL: "cannot release the addresses: no",
    };
    for (const [command, more] of commands(prevResult).slice(1)) {
      isRefused(
        call(world, command, configOf(SCRIPTED, more)),
        51,
        rows[command as keyof typeof rows],
        "why",
      );
      // DEL has done the rest.
      if (command === "DEL") assert.equal(container.link(), undefined);
    }
    isRefused(call(world, "ADD", configOf(SCRIPTED)), 51, "no", /^why/);
    assert.equal(container.link(), undefined);
  });
});

describe("a delegate's result", () => {
  const ip = "10.9.0.2/24";
  const gateway = "10.9.0.1";
  const routes = [{ dst: "0.0.0.0/0", gw: gateway }];
  const newer = { ips: [{ address: ip, gateway }], routes };
  const older = { ips: [{ version: "4", address: ip, gateway }], routes, dns: {} };
  const oldest = { ip4: { ip, gateway, routes }, dns: {} };
  const results: Record<string, object> = {
    "0.1.0": oldest,
    "0.2.0": oldest,
    "0.3.0": older,
    "0.3.1": older,
    "0.4.0": older,
    "1.0.0": newer,
    "1.1.0": newer,
  };

  test("a delegate's result is taken in the version that it says it has", async (t) => {
    const { world, container, delegate } = await scripted(t);
    for (const [version, result] of Object.entries(results)) {
      delegate.gives({ cniVersion: version, ...result });
      for (const cniVersion of ["0.2.0", "0.4.0", "1.1.0"]) {
        const given = succeeded(call(world, "ADD", configOf(SCRIPTED, { cniVersion })));
        const expected = results[cniVersion] as Json;
        if (cniVersion === "0.2.0") assert.deepEqual(given, { cniVersion, ...expected });
        else
          assert.deepEqual(
            [given.ips, given.routes],
            [[{ ...expected.ips[0], interface: 2 }], expected.routes],
          );
        assert.deepEqual(container.addresses(), [ip]);
        assert.deepEqual(container.routes(), ["default via 10.9.0.1 dev eth0", "10.9.0.0/24 dev eth0"]);
        succeeded(call(world, "DEL", configOf(SCRIPTED, { cniVersion })));
      }
    }
  });

  test("a delegate's result without a version is in the configuration's", async (t) => {
    const { world, container, delegate } = await scripted(t);
    for (const [cniVersion, result] of Object.entries(results)) {
      delegate.gives(result);
      succeeded(call(world, "ADD", configOf(SCRIPTED, { cniVersion })));
      assert.deepEqual(container.addresses(), [ip]);
      succeeded(call(world, "DEL", configOf(SCRIPTED, { cniVersion })));
    }
  });

  test("a delegate's result has no say in interfaces", async (t) => {
    const { world, delegate } = await scripted(t);
    delegate.gives({ interfaces: [{ name: "x" }], ips: [{ address: ip, interface: 0 }] });
    const { interfaces, ips } = succeeded(call(world, "ADD", configOf(SCRIPTED)));
    assert.deepEqual(
      interfaces.map(({ name }: Json) => name.replace(/^veth.*/, "veth")),
      ["br0", "veth", "eth0"],
    );
    assert.deepEqual(ips, [{ interface: 2, address: ip }]);
  });
});

describe("when ADD fails", () => {
  /** The gateway's address is refused: the bridge has another one. It happens when IPAM has given an address. */
  const refusedLater = (world: World) => {
    world.must("ip", "link", "add", "br0", "type", "bridge");
    world.must("ip", "address", "add", "10.55.0.1/24", "dev", "br0");
    return { isGateway: true };
  };
  const LATER = /^"br0" already has an IP address different from/;

  test("when ADD fails in the delegate, its DEL follows", async (t) => {
    const { world, delegate } = await scripted(t);
    delegate.does("test $CNI_COMMAND != ADD || exit 1");
    isRefused(call(world, "ADD", configOf(SCRIPTED)), 100, /^plugin scripted ended with exit code 1/);
    assert.deepEqual(delegate.commands(), ["ADD", "DEL"]);
    assert.equal(delegate.noted("DEL", "stdin"), delegate.noted("ADD", "stdin"));
  });

  test("when ADD has failed in the delegate, DEL works as ever", async (t) => {
    const { world, delegate } = await scripted(t);
    delegate.does("test $CNI_COMMAND != ADD || exit 1");
    isRefused(call(world, "ADD", configOf(SCRIPTED)), 100, /exit code 1/);
    for (let times = 0; times < 2; times++) succeeded(call(world, "DEL", configOf(SCRIPTED)));
    assert.deepEqual(delegate.commands(), ["ADD", "DEL", "DEL", "DEL"]);
  });

  test("when ADD fails before the delegate was called, it is left in peace", async (t) => {
    const { world, container, delegate } = await scripted(t);
    container.must("ip", "link", "add", "eth0", "type", "bridge");
    delegate.gives({});
    for (const type of ["bridge", "ptp"])
      isRefused(call(world, "ADD", { ...configOf(SCRIPTED), type }), 4, /already exists/);
    assert.deepEqual(delegate.commands(), []);
  });

  test("when ADD fails after the delegate, its DEL follows", async (t) => {
    const { world, container, delegate } = await scripted(t);
    delegate.gives({ ips: [{ address: "10.9.0.2/24" }] });
    isRefused(call(world, "ADD", configOf(SCRIPTED, refusedLater(world))), 7, LATER);
    assert.deepEqual(delegate.commands(), ["ADD", "DEL"]);
    assert.equal(container.link(), undefined);
  });

  test("when ADD fails after the delegate, whose DEL fails too, both are told", async (t) => {
    const { world, delegate } = await scripted(t);
    delegate.does(`test $CNI_COMMAND = ADD && echo '{"ips":[{"address":"10.9.0.2/24"}]}'`);
    isRefused(
      call(world, "ADD", configOf(SCRIPTED, refusedLater(world))),
      7,
      LATER,
      /^It has 10\.55\.0\.1\/24\. .*\nNot everything could be undone:\ncannot release the addresses of scripted: plugin scripted ended with exit code 1/,
    );
  });

  test("when ADD fails after host-local in our own process, the address is free again", async (t) => {
    const world = await World.start(t);
    world.container();
    isRefused(call(world, "ADD", configOf(HOST_LOCAL, refusedLater(world))), 7, LATER);
    assert.deepEqual(world.reserved(), {});
  });

  test(
    "when ADD fails after the reference's host-local, the address is free again",
    besideReference,
    async (t) => {
      const world = await World.start(t);
      world.container();
      const config = configOf(HOST_LOCAL, { ...refusedLater(world), cniVersion: "1.0.0" });
      isRefused(call(world, "ADD", config, { CNI_PATH: reference! }), 7, LATER);
      assert.deepEqual(world.reserved(), {});
    },
  );
});

describe("beside the reference", besideReference, () => {
  for (const [what, main, delegate] of [
    ["its host-local under our bridge", (world: World) => world.bin, reference],
    ["our host-local under its bridge", () => reference!, undefined],
  ] as const)
    test(what, async (t) => {
      const world = await World.start(t);
      const container = world.container();
      const path = delegate ?? world.bin;
      const config = configOf(HOST_LOCAL, { cniVersion: "1.0.0", isGateway: true });
      const program = [join(main(world), "bridge")];
      const run = (command: string, more: object = {}) =>
        succeeded(
          ask(world, program, { ...variables(world, command), CNI_PATH: path }, { ...config, ...more }),
        );
      const prevResult = run("ADD");
      assert.deepEqual(prevResult.ips, [{ interface: 2, address: "10.7.0.2/24", gateway: "10.7.0.1" }]);
      assert.deepEqual(world.reserved(), { "10.7.0.2": "c1 eth0" });
      run("CHECK", { prevResult });
      run("DEL", { prevResult });
      assert.deepEqual(world.reserved(), {});
      assert.equal(container.link(), undefined);
      run("DEL");
    });

  test("its host-local says itself that it cannot do what 1.1.0 wants", async (t) => {
    const world = await World.start(t);
    const asked = call(world, "STATUS", configOf(HOST_LOCAL), { CNI_PATH: reference! });
    // Later ones can.
    if (asked.code !== 0) isRefused(asked, asked.output.code, /CNI_COMMAND|version/);
  });
});
