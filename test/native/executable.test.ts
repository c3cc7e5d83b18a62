import assert from "node:assert/strict";
import { execFileSync, type SpawnSyncOptions, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { buildProgram, plumb, sanitized } from "../programs.ts";

const directory = mkdtempSync(join(tmpdir(), "plumb-executable-"));
after(() => rmSync(directory, { recursive: true }));

interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], options: SpawnSyncOptions = {}): Outcome {
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    timeout: 60_000,
    ...options,
    encoding: "utf8",
  });
  return { status, signal, stdout, stderr };
}

/** Runs a shell script in which $1 is the program. */
function inShell(script: string, program: string, options: SpawnSyncOptions = {}): Outcome {
  return run("/bin/sh", ["-c", script, "sh", program], options);
}

/** A VERSION call of a plugin, which needs nothing else. */
const versionCall = { env: { CNI_COMMAND: "VERSION" }, input: '{"cniVersion":"1.1.0"}' };

function isVersionAnswer({ status, stdout, stderr }: Outcome): void {
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.ok((JSON.parse(stdout) as { supportedVersions: string[] }).supportedVersions.includes("1.1.0"));
}

describe("the file", { skip: sanitized && "these hold for the release build" }, () => {
  it("needs no interpreter and no library", () => {
    const listed = execFileSync("readelf", ["--program-headers", "--dynamic", plumb], { encoding: "utf8" });
    assert.doesNotMatch(listed, /INTERP|NEEDED/);
  });

  it("is at most 2 MiB", () => assert.ok(statSync(plumb).size <= 2 << 20, `${statSync(plumb).size} bytes`));
});

describe("how it is started", () => {
  const surroundings = buildProgram("test/native/surroundings-main.ts");
  const ordinary = (outcome: Outcome, argv = [surroundings]) =>
    assert.deepEqual(outcome, { ...outcome, status: 0, stdout: JSON.stringify({ argv, descriptor: 3 }) });

  it("with arguments of any bytes", () => {
    ordinary(run(surroundings, ["", "a b", "ü"]), [surroundings, "", "a b", "ü"]);
    ordinary(inShell(`exec "$1" "$(printf '\\377')"`, surroundings), [surroundings, "\ufffd"]);
  });

  it("with no argument at all, not even its name", () => {
    const source = join(directory, "no-arguments.c");
    const starter = join(directory, "no-arguments");
    writeFileSync(
      source,
      "#include <unistd.h>\nint main(int c, char **v) { (void)c; return execve(v[1], (char *[]){0}, environ); }\n",
    );
    execFileSync("gcc", ["-D_GNU_SOURCE", "-o", starter, source]);
    ordinary(run(starter, [surroundings]));
    const loopback = join(directory, "loopback");
    symlinkSync(plumb, loopback);
    isVersionAnswer(run(starter, [loopback], versionCall));
  });

  it("with descriptors that somebody forgot to close", () => {
    const call = `exec 3</dev/null 5</dev/null 9</proc/self/ns/net; exec "$1" loopback`;
    isVersionAnswer(inShell(call, plumb, versionCall));
  });

  it("with standard streams closed: none of them becomes something else", () => {
    for (const closed of ["<&-", "2>&-", "<&- 2>&-"]) ordinary(inShell(`exec "$1" ${closed}`, surroundings));
    for (const closed of [">&-", "<&- >&- 2>&-"])
      assert.deepEqual(inShell(`exec "$1" ${closed}`, surroundings), {
        status: 0,
        signal: null,
        stdout: "",
        stderr: "",
      });
  });

  it("with signals ignored or blocked by who started it", () => {
    isVersionAnswer(inShell(`trap '' PIPE CHLD HUP; exec "$1" loopback`, plumb, versionCall));
  });

  it("in any directory, also in one that is gone", () => {
    for (const cwd of ["/", "/proc/self", directory])
      isVersionAnswer(run(plumb, ["loopback"], { ...versionCall, cwd }));
    const gone = join(directory, "gone");
    isVersionAnswer(
      inShell(`mkdir ${gone}; cd ${gone}; rmdir ${gone}; exec "$1" loopback`, plumb, versionCall),
    );
  });

  it("without an environment, by a person who wonders what it is", () => {
    const { status, stdout, stderr } = run(plumb, ["loopback"], { env: {} });
    assert.deepEqual({ status, stdout }, { status: 0, stdout: "" });
    assert.match(stderr, /CNI loopback plugin/);
  });

  it("with a reader of its output that is gone: an error, not a signal", () => {
    // The pipe is opened for writing while it has a reader, who then goes.
    const script = `mkfifo pipe && exec 4<>pipe 5>pipe 4<&-; "$1" >&5; echo $?`;
    const { stdout, stderr } = inShell(script, surroundings, { cwd: directory });
    assert.equal(stdout, "1\n");
    assert.match(stderr, /EPIPE/);
  });
});

it("knows of Unicode what a program needs that is written out, and says what it lacks", () => {
  const { stdout, stderr } = run(buildProgram("test/native/unicode-main.ts"), []);
  assert.equal(stderr, "");
  assert.deepEqual(JSON.parse(stdout), {
    written: ["é", "β", "🙂"],
    ignoringCase: true,
    cases: "ÉSS é",
    sorted: ["a", "b", "é"],
    same: 0,
    propertyAtRunTime: "SyntaxError: unknown unicode property name",
    normalize: "InternalError: this engine cannot normalize",
  });
});

describe("a fault that nobody catches", () => {
  const program = buildProgram("test/native/fault-main.ts");
  const file = String.raw`test/native/fault-main\.ts`;

  const faults: readonly [fault: string, msg: RegExp, stack: RegExp][] = [
    ["exception", /^Fault: thrown$/, new RegExp(` < exception \\(${file}:11:15\\)`)],
    ["rejection", /^Fault: rejected$/, new RegExp(` < rejection \\(${file}:14:\\d+\\)`)],
    ["late rejection", /^Fault: rejected late$/, new RegExp(`${file}:18:\\d+\\)`)],
    ["recursion", /call stack size exceeded/, new RegExp(`< deeper \\(${file}:27:\\d+\\)`)],
    [
      "wrong type",
      /^TypeError: .*wrong type/,
      new RegExp(`stack: close \\(native\\) < .*${file}:40:\\d+\\)`),
    ],
    ["no error object", /^just text$/, /^plumb: just text \(code 999\)/],
  ];
  for (const [fault, msg, stack] of faults)
    it(`${fault}: the TypeScript's line on stderr, a CNI error with code 999 on stdout`, () => {
      const { status, stdout, stderr } = run(program, [fault]);
      assert.equal(status, 1);
      const error = JSON.parse(stdout) as Record<string, unknown>;
      assert.deepEqual(
        { code: error["code"], cniVersion: error["cniVersion"] },
        { code: 999, cniVersion: "1.1.0" },
      );
      assert.match(error["msg"] as string, msg);
      assert.match(stderr, /^plumb: .* \(code 999\)\. .*\n$/);
      assert.match(stderr, stack);
    });

  it("is none when a promise is handled after it was rejected", () => {
    assert.deepEqual(run(program, ["handled rejections"]), {
      status: 0,
      signal: null,
      stdout: "",
      stderr: "",
    });
  });

  for (const fault of ["memory", "objects"])
    it(`no memory left for ${fault}: still a CNI error`, {
      skip: sanitized && "the sanitizers reserve all memory",
    }, () => {
      const { status, stdout, stderr } = inShell(`ulimit -v 200000; exec "$1" ${fault}`, program);
      assert.equal(status, 1);
      const { code, msg } = JSON.parse(stdout) as { code: number; msg: string };
      assert.equal(code, 999);
      assert.match(msg, /out of memory/);
      assert.match(stderr, /out of memory/);
    });
});
