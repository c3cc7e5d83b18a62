import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { plumb } from "../programs.ts";
import { type Asked, ask, askShell, type Environment, SHELL, succeeded, variables } from "./ask.ts";
import { readLog } from "./log-lines.ts";
import { Program } from "./program.ts";
import { type Json, World } from "./world.ts";

const CONFIG = {
  ...{ cniVersion: "1.1.0", name: "net", type: "bridge", bridge: "br0" },
  ipam: { type: "host-local", subnet: "10.1.0.0/24" },
};
const CLEAN_UP = { "cni.dev/valid-attachments": [] };
const VERBS = ["ADD", "CHECK", "DEL", "STATUS", "GC"] as const;

/** What stderr has for each verb behind `plumb: bridge: `. */
const PLACES: Readonly<Record<string, string>> = {
  ADD: "ADD of eth0 of c1 to network net",
  CHECK: "CHECK of eth0 of c1 on network net",
  DEL: "DEL of eth0 of c1 from network net",
  STATUS: "STATUS of network net",
  GC: "GC of network net",
};

class Setting {
  readonly world: World;
  readonly log: string;

  private constructor(world: World) {
    this.world = world;
    this.log = join(world.bin, "plumb.log");
    world.container();
  }

  static async start(t: TestContext): Promise<Setting> {
    return new Setting(await World.start(t));
  }

  call(verb: string, config: Json = {}, env: Environment = {}): Asked {
    const { CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, ...others } = variables(this.world, verb);
    const container = { CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME };
    const about = verb === "STATUS" || verb === "GC" ? {} : container;
    return ask(this.world, "bridge", { ...others, ...about, ...env }, { ...CONFIG, ...CLEAN_UP, ...config });
  }

  /** A plugin that is a shell script. */
  script(type: string, text: string): void {
    writeFileSync(join(this.world.bin, type), `#!/bin/sh\n${text}\n`);
    chmodSync(join(this.world.bin, type), 0o755);
  }

  /** The command plumb with networks of its own. */
  plumb(words: readonly string[], plugins: readonly Json[], env: Environment = {}): Asked {
    const folder = join(this.world.bin, "net.d");
    mkdirSync(folder, { recursive: true });
    const list = { cniVersion: "1.1.0", name: "net", plugins };
    writeFileSync(join(folder, "net.conflist"), JSON.stringify(list));
    const command = [...SHELL, `"$0" "$@"; code=$?; exit $code`, plumb, ...words];
    const { code, stdout, stderr } = this.world.exec(
      [
        "env",
        "-i",
        ...pairs({ PATH: process.env["PATH"], NETCONFPATH: folder, CNI_PATH: this.world.bin, ...env }),
        ...command,
      ],
      {},
    );
    return { code, stdout, stderr, output: undefined };
  }
}

function pairs(env: Environment): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

function linesOf(text: string): string[] {
  assert.ok(text === "" || text.endsWith("\n"), text);
  return text.split("\n").slice(0, -1);
}

describe("stderr", () => {
  test("has nothing where all is well", async (t) => {
    const s = await Setting.start(t);
    const { output: prevResult, stderr } = s.call("ADD");
    assert.equal(stderr, "");
    for (const verb of ["CHECK", "STATUS", "GC", "DEL", "DEL", "VERSION"]) {
      const asked = s.call(verb, verb === "CHECK" ? { prevResult } : {});
      assert.deepEqual([verb, asked.code, asked.stderr], [verb, 0, ""]);
    }
  });

  test("has a line for a call that fails, with what it was about", async (t) => {
    const s = await Setting.start(t);
    for (const verb of VERBS) {
      const { code, output, stderr } = s.call(verb, { mtu: "big" });
      assert.deepEqual([code, output.code], [1, 7]);
      assert.equal(stderr, `plumb: bridge: ${PLACES[verb]} failed: ${output.msg} (code 7)\n`);
    }
  });

  test("names what is known before the configuration is", async (t) => {
    const s = await Setting.start(t);
    const env = variables(s.world, "ADD");
    const rows: [env: Environment, stdin: string, line: RegExp][] = [
      [env, "{", /^plumb: bridge: ADD of eth0 of c1 failed: .*not JSON \(code 6\)\. .*\n$/],
      [env, '{"name":7}', /^plumb: bridge: ADD of eth0 of c1 failed: .*\n$/],
      [
        { ...env, CNI_COMMAND: "PAINT" },
        "",
        /^plumb: bridge: PAINT of eth0 of c1 failed: unknown CNI_COMMAND.*\n$/,
      ],
      [{ CNI_COMMAND: "DEL" }, "", /^plumb: bridge: DEL failed: required env variables .*\n$/],
      [{ CNI_COMMAND: "VERSION" }, "{", /^plumb: bridge: VERSION failed: .*\n$/],
    ];
    for (const [environment, stdin, line] of rows)
      assert.match(ask(s.world, "bridge", environment, stdin).stderr, line);
    assert.match(
      ask(s.world, [...SHELL, 'exec -a calico "$0"', plumb], env, "{}").stderr,
      /^plumb: calico: ADD of .*\n$/,
    );
  });

  test("has one line of what others say in many, without control characters, and not too long", async (t) => {
    const s = await Setting.start(t);
    const details = `one\\ntwo\\u001b[31m\\u2028three ${"x".repeat(9000)}`;
    const error = `{"code":123,"msg":"no\\nway","details":"${details}"}`;
    s.script("noisy", `test $CNI_COMMAND = ADD || exit 3; printf %s '${error}'; exit 1`);
    const { output, stderr } = s.call("ADD", { ipam: { type: "noisy" } });
    assert.match(output.details, /^one\ntwo.*\n.*release the addresses of noisy/s);
    assert.match(
      stderr,
      /^plumb: bridge: ADD of eth0 .* failed: no; way \(code 123\)\. one; two \[31m three x+… \(\d+ bytes more\)\n$/,
    );
    assert.ok(Buffer.byteLength(stderr) <= 4096);
    const left = Number(/\((\d+) bytes/.exec(stderr)![1]);
    const whole = Buffer.byteLength(stderr.replace(/… \(.*/s, "")) + left;
    assert.ok(whole > 9000 && whole < 9400, `${whole}`);
  });

  test("does not keep a call waiting that nobody reads", async (t) => {
    const s = await Setting.start(t);
    // A pipe that is full, whose reader does not read.
    const script = `mkfifo /run/full; exec 4<>/run/full; dd if=/dev/zero of=/run/full bs=4096 oflag=nonblock 2>&1 | tail -n0; exec "$0" 2>&4`;
    const asked = askShell(s.world, script, "bridge", variables(s.world, "ADD"), { ...CONFIG, mtu: "big" });
    assert.deepEqual([asked.code, asked.output.code], [1, 7]);
  });
});

describe("a problem is told once", () => {
  const failing = {
    type: "bridge",
    bridge: "br0",
    ipam: { type: "host-local", subnet: "10.1.0.0/30", rangeStart: "10.1.0.9" },
  };

  test("by plumb, which has it of the plugin", async (t) => {
    const s = await Setting.start(t);
    const env = { PLUMB_LOG_FILE: s.log };
    const { code, stderr } = s.plumb(["add", "net", "/run/netns/c1"], [failing], env);
    assert.equal(code, 1);
    assert.equal(linesOf(stderr).filter((line) => line.includes("10.1.0.9")).length, 1, stderr);
    assert.match(stderr, /^plumb: plugin type="bridge" failed \(add\): /);
    assert.doesNotMatch(stderr, /plumb: bridge: /);
    // The log has it from both.
    const errors = readLog(s.log).filter(({ level, command }) => level === "error" && command === "ADD");
    assert.deepEqual(
      errors.map(({ plugin, plugins }) => plugin ?? plugins),
      ["bridge", "bridge"],
    );
  });

  test("by the plugin that runs another one of ours as a program", async (t) => {
    const s = await Setting.start(t);
    // Another file than plumb's, so it is run.
    const other = join(s.world.bin, "other");
    mkdirSync(other);
    copyFileSync(plumb, join(other, "host-local"));
    const asked = s.call("ADD", failing, { CNI_PATH: `${other}:${s.world.bin}`, PLUMB_LOG_FILE: s.log });
    assert.deepEqual([asked.code, linesOf(asked.stderr).length], [1, 1], asked.stderr);
    assert.match(asked.stderr, /^plumb: bridge: ADD /);
    const told = readLog(s.log).filter(({ level }) => level === "error");
    assert.deepEqual(
      told.map(({ plugin }) => plugin),
      ["host-local", "bridge"],
    );
  });

  test("by the plugin where the variable comes from somebody who is not its caller", async (t) => {
    const s = await Setting.start(t);
    for (const PLUMB_ERRORS_TO of ["1", "", "x", `${process.ppid}`])
      assert.equal(linesOf(s.call("ADD", { mtu: "big" }, { PLUMB_ERRORS_TO }).stderr).length, 1);
    // The shell is the caller: it says so of itself.
    const script = `PLUMB_ERRORS_TO=$$ "$0"; true`;
    assert.equal(
      askShell(s.world, script, "bridge", variables(s.world, "ADD"), { ...CONFIG, mtu: "big" }).stderr,
      "",
    );
  });
});

describe("the log file", () => {
  test("has a line for each call, with what came of it", async (t) => {
    const s = await Setting.start(t);
    const env = { PLUMB_LOG_FILE: s.log };
    const before = Date.now();
    const { output: prevResult } = s.call("ADD", {}, env);
    for (const verb of ["CHECK", "GC", "DEL"])
      succeeded(s.call(verb, verb === "CHECK" ? { prevResult } : {}, env));
    const failed = s.call("ADD", { mtu: "big" }, env);
    const lines = readLog(s.log);
    assert.deepEqual(
      lines.map(({ level, msg, command }) => [level, msg, command]),
      [
        ...["ADD", "CHECK", "GC", "DEL"].map((verb) => ["info", "done", verb]),
        ["error", failed.output.msg, "ADD"],
      ],
    );
    const { time, duration, ...rest } = lines[0]!;
    assert.deepEqual(rest, {
      ...{
        level: "info",
        msg: "done",
        plugin: "bridge",
        command: "ADD",
        container: "c1",
        ifname: "eth0",
        network: "net",
      },
      netns: "/run/netns/c1",
    });
    assert.match(time!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Date.parse(time!) >= before && Date.parse(time!) <= Date.now());
    assert.match(duration!, /^\d+(\.\d+)?m?s$/);
    assert.equal(lines.at(-1)!["code"], "7");
    // stderr still has the problem, and nothing else.
    assert.equal(linesOf(failed.stderr).length, 1);
    assert.equal(statSync(s.log).mode & 0o7777, 0o640);
  });

  test("goes down to the level", async (t) => {
    const s = await Setting.start(t);
    const rows = {
      error: ["error"],
      warn: ["error"],
      info: ["info", "error"],
      debug: ["debug", "debug", "info", "debug", "error"],
    };
    for (const [level, wanted] of Object.entries(rows)) {
      const log = `${s.log}.${level}`;
      // In any case, and as configurations of other plugins say it.
      const env = {
        PLUMB_LOG_FILE: log,
        PLUMB_LOG_LEVEL: level === "warn" ? "Warning" : level.toUpperCase(),
      };
      succeeded(s.call("ADD", {}, env));
      s.call("ADD", { mtu: "big" }, env);
      succeeded(s.call("DEL"));
      const lines = readLog(log).filter(({ msg }) => msg !== "ran a program");
      assert.deepEqual(
        lines.map((line) => line["level"]),
        wanted,
        level,
      );
    }
    const [request, result] = readLog(`${s.log}.debug`);
    assert.deepEqual(JSON.parse(request!["request"]!), { ...CONFIG, ...CLEAN_UP });
    assert.equal(JSON.parse(result!["result"]!).ips.length, 1);
  });

  test("has VERSION and STATUS, which are asked all the time, only at debug", async (t) => {
    const s = await Setting.start(t);
    for (const verb of ["VERSION", "STATUS"]) succeeded(s.call(verb, {}, { PLUMB_LOG_FILE: s.log }));
    assert.equal(existsSync(s.log), false);
    const env = { PLUMB_LOG_FILE: s.log, PLUMB_LOG_LEVEL: "debug" };
    for (const verb of ["VERSION", "STATUS"]) succeeded(s.call(verb, {}, env));
    const done = readLog(s.log).filter(({ msg }) => msg === "done");
    assert.deepEqual(
      done.map(({ level, command }) => [level, command]),
      [
        ["debug", "VERSION"],
        ["debug", "STATUS"],
      ],
    );
    assert.equal(s.call("STATUS", { mtu: "big" }, { PLUMB_LOG_FILE: s.log }).code, 1);
    assert.equal(readLog(s.log).at(-1)!["level"], "error");
  });

  test("is the configuration's before the environment's, also where the keys have another case", async (t) => {
    const s = await Setting.start(t);
    const other = join(s.world.bin, "a/b/other.log");
    const env = { PLUMB_LOG_FILE: s.log, PLUMB_LOG_LEVEL: "error" };
    succeeded(s.call("GC", { LogFile: other, loglevel: "info" }, env));
    succeeded(s.call("GC", { logFile: other, logLevel: "info" }));
    succeeded(s.call("GC", { logFile: "", logLevel: "" }, { PLUMB_LOG_FILE: s.log }));
    assert.deepEqual([readLog(other).length, readLog(s.log).length], [2, 1]);
  });

  test("has whole lines of calls at the same time", async (t) => {
    const s = await Setting.start(t);
    // A request as long as several pages.
    const long = { ...CONFIG, more: "y".repeat(9000) };
    const script = `input=$(cat); for i in $(seq 60); do CNI_CONTAINERID=c$i "$0" <<< "$input" & done; wait`;
    const env = { ...variables(s.world, "STATUS"), PLUMB_LOG_FILE: s.log, PLUMB_LOG_LEVEL: "debug" };
    const { code, stderr } = askShell(s.world, script, "bridge", env, long);
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = readLog(s.log);
    assert.equal(lines.length, 120);
    for (const what of ["request", "done"]) {
      const seen = lines.filter(({ msg }) => msg === what).map(({ container }) => container);
      assert.equal(new Set(seen).size, 60);
    }
    for (const { request } of lines) if (request) assert.deepEqual(JSON.parse(request), long);
  });

  test("may be moved away at any time", async (t) => {
    const s = await Setting.start(t);
    succeeded(s.call("GC", {}, { PLUMB_LOG_FILE: s.log }));
    renameSync(s.log, `${s.log}.1`);
    succeeded(s.call("GC", {}, { PLUMB_LOG_FILE: s.log }));
    assert.deepEqual([readLog(s.log).length, readLog(`${s.log}.1`).length], [1, 1]);
  });

  for (const [what, path, reason, prepare = ":"] of [
    ["a directory", "/run", "open /run: EISDIR"],
    ["a disk that is full", "/dev/full", "write /dev/full: ENOSPC"],
    ["a pipe that nobody reads", "/run/pipe", "open /run/pipe: ENXIO (nobody reads it)", "mkfifo /run/pipe"],
    ["below a file", "/run/file/x.log", "open /run/file/x.log: ENOTDIR", "touch /run/file"],
    [
      "on a disk that is read-only",
      "/run/ro/a/x.log",
      "mkdir /run/ro/a: EROFS",
      "mkdir /run/ro; mount -t tmpfs -o ro ro /run/ro",
    ],
    [
      "a pipe that is full",
      "/run/slow",
      "write /run/slow: ETIMEDOUT",
      "mkfifo /run/slow; exec 5<>/run/slow; dd if=/dev/zero of=/run/slow bs=4096 oflag=nonblock 2>/dev/null",
    ],
  ] as const)
    test(`${what} for a log costs a line on stderr, and nothing else`, async (t) => {
      const s = await Setting.start(t);
      for (const verb of ["ADD", "DEL"]) {
        const env = { ...variables(s.world, verb), PLUMB_LOG_FILE: path, PLUMB_LOG_LEVEL: "debug" };
        const script = `${verb === "ADD" || path === "/run/slow" ? prepare.replace("mkfifo", "test -e /run/slow || mkfifo") : ":"}; "$0"`;
        const asked = askShell(s.world, script, "bridge", env, CONFIG);
        assert.deepEqual(
          [asked.code, asked.stderr],
          [0, `plumb: bridge: a log cannot be written: ${reason}\n`],
          asked.stdout,
        );
      }
    });

  test("may be a stream or a pipe that somebody reads", async (t) => {
    const s = await Setting.start(t);
    const env = { ...variables(s.world, "DEL"), PLUMB_LOG_FILE: "/dev/stderr" };
    const { stderr } = askShell(s.world, '"$0" 2>&1 | cat >&2', "bridge", env, CONFIG);
    assert.match(stderr, /^time=\S+ level=info msg="done" plugin=bridge command=DEL .*\n$/);
  });

  test("tells of programs that were run", async (t) => {
    const s = await Setting.start(t);
    const config = { ipMasq: true, ipMasqBackend: "iptables" };
    succeeded(s.call("ADD", config, { PLUMB_LOG_FILE: s.log, PLUMB_LOG_LEVEL: "debug" }));
    const run = readLog(s.log).find(({ msg }) => msg === "ran a program");
    assert.match(run!["program"]!, /\/iptables(-nft|-legacy)?-(restore|save)$/);
    assert.equal(run!["end"], "exit code 0");
  });

  test("has nothing of what runtimes pass on of a pod's annotations", async (t) => {
    const s = await Setting.start(t);
    const runtimeConfig = { "io.kubernetes.cri.pod-annotations": { token: "secret-1" } };
    succeeded(s.call("ADD", { runtimeConfig }, { PLUMB_LOG_FILE: s.log, PLUMB_LOG_LEVEL: "debug" }));
    assert.doesNotMatch(readFileSync(s.log, "utf8"), /secret-1/);
    assert.match(readFileSync(s.log, "utf8"), /token/);
  });
});

describe("settings for the log", () => {
  test("in the configuration are checked, but at DEL", async (t) => {
    const s = await Setting.start(t);
    const rows: [config: Json, msg: string][] = [
      [{ logLevel: "loud" }, 'logLevel: expected one of "error", "warn", "info", "debug", got "loud"'],
      [{ logLevel: 3 }, 'logLevel: expected one of "error", "warn", "info", "debug", got 3'],
      [{ LOGFILE: "x.log" }, 'logFile: expected an absolute path, got "x.log"'],
      [{ traceFile: ["/x"] }, 'traceFile: expected an absolute path, got ["/x"]'],
    ];
    for (const [config, msg] of rows) {
      for (const verb of ["ADD", "CHECK", "STATUS", "GC"]) {
        const { output, stderr } = s.call(verb, config);
        assert.deepEqual([output.code, output.msg], [7, `invalid configuration: ${msg}`]);
        assert.equal(stderr, `plumb: bridge: ${PLACES[verb]} failed: ${output.msg} (code 7)\n`);
      }
      const { code, stderr } = s.call("DEL", config);
      assert.equal(code, 0);
      assert.equal(stderr, `plumb: bridge: ${PLACES["DEL"]}: ${msg.replace(": ", " is ignored: ")}\n`);
    }
  });

  test("in the configuration that are right hold although another is wrong, so that the file has the error", async (t) => {
    const s = await Setting.start(t);
    const { output } = s.call("ADD", { logFile: s.log, logLevel: "loud" });
    assert.deepEqual(
      readLog(s.log).map(({ level, command, msg }) => [level, command, msg]),
      [["error", "ADD", output.msg]],
    );
  });

  test("in the environment are ignored if they make no sense, and that is told", async (t) => {
    const s = await Setting.start(t);
    const env = { PLUMB_LOG_LEVEL: "loud", PLUMB_LOG_FILE: "x.log", PLUMB_TRACE_FILE: "../x" };
    for (const verb of ["ADD", "DEL", "VERSION"]) {
      const { code, stderr } = s.call(verb, {}, env);
      assert.equal(code, 0);
      const told = linesOf(stderr).map((line) => /: (PLUMB_\w+) is ignored: expected /.exec(line)?.[1]);
      assert.deepEqual(told.sort(), Object.keys(env).sort());
    }
    assert.equal(existsSync(join(s.world.bin, "x.log")), false);
    // Empty is as if it were not set.
    const empty = { PLUMB_LOG_LEVEL: "", PLUMB_LOG_FILE: "", PLUMB_TRACE_FILE: "" };
    assert.equal(s.call("ADD", {}, empty).stderr, "");
  });

  test("without a file: stderr goes down to the level", async (t) => {
    const s = await Setting.start(t);
    const said = (PLUMB_LOG_LEVEL: string) => linesOf(s.call("GC", {}, { PLUMB_LOG_LEVEL }).stderr);
    assert.deepEqual([said("error"), said("warn")], [[], []]);
    assert.match(said("info").join(), /^plumb: bridge: GC of network net done in [\d.]+m?s$/);
    const [request, done, ...more] = said("debug");
    assert.match(request!, /^plumb: bridge: GC of network net: request \{"cniVersion":"1\.1\.0".*\}$/);
    assert.deepEqual([done!.includes(" done in "), more], [true, []]);
  });
});

test("the DHCP daemon's log follows the same variables", async (t) => {
  const s = await Setting.start(t);
  const start = async (env: Environment, socket: string) => {
    const flags = ["-socketpath", `/run/${socket}.sock`];
    const program = new Program(t, s.world, [
      "env",
      ...pairs(env),
      join(s.world.bin, "dhcp"),
      "daemon",
      ...flags,
    ]);
    await program.until("the socket", () => s.world.exec(["test", "-S", `/run/${socket}.sock`]).code === 0);
    return program;
  };
  const daemon = await start({ PLUMB_LOG_FILE: s.log, PLUMB_LOG_LEVEL: "nonsense" }, "one");
  assert.equal(await daemon.stop(), 0);
  assert.match(daemon.output, /^dhcp daemon: PLUMB_LOG_LEVEL is ignored: .*\n$/);
  const [line, ...more] = readLog(s.log);
  assert.deepEqual(
    [line!["level"], line!["plugin"], line!["command"], more.length],
    ["warn", "dhcp", "daemon", 0],
  );
  // What it cannot begin with is an error, on both.
  const second = s.world.exec([
    "env",
    `PLUMB_LOG_FILE=${s.log}`,
    join(s.world.bin, "dhcp"),
    "daemon",
    "-pidfile",
    "x",
  ]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^dhcp daemon: -pidfile x: the path must be absolute\n$/);
  assert.deepEqual(
    readLog(s.log)
      .slice(1)
      .map(({ level, msg }) => [level, msg]),
    [["error", "dhcp daemon: -pidfile x: the path must be absolute"]],
  );
  assert.equal(
    execFileSync("wc", ["-l"], { input: readFileSync(s.log) })
      .toString()
      .trim(),
    "2",
  );
});
