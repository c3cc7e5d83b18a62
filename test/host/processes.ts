import { errno } from "../../src/host/errno.ts";
import { type Host, O_RDONLY, type RunOptions, type RunResult, vector } from "../../src/host/host.ts";
import { type Case, equal, eventually, fails, throws, truthy } from "./case.ts";

const PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
const SIGKILL = 9;
const SIGUSR1 = 10;
const SIGPIPE = 13;
const SIGTERM = 15;
const SIGCHLD = 17;
const MEGABYTE = 1 << 20;

export const processCases: readonly Case[] = [
  {
    name: "run: what is not there, what is no program",
    level: "fake",
    run({ host, directory }) {
      const options = { argv: ["x"], env: [], timeoutMs: 10_000 };
      const file = `${directory}/file`;
      host.writeFile(file, "", 0o644);
      throws(() => host.run(`${directory}/no`, options), "ENOENT");
      throws(() => host.run(`${file}/no`, options), "ENOTDIR");
      throws(() => host.run(file, options), "EACCES");
      throws(() => host.run(file, { ...options, argv: ["a\0b"] }), "EINVAL");
      throws(() => host.run(file, { ...options, env: ["A=\0"] }), "EINVAL");
    },
  },
  {
    name: "run: exit codes and signals",
    level: "kernel",
    run({ host, directory }) {
      for (const code of [0, 1, 3, 255]) equal(shell(host, `exit ${code}`).exitCode, code);
      for (const signal of [SIGKILL, SIGTERM]) {
        const result = shell(host, `kill -${signal} $$`);
        equal([result.exitCode, result.signal], [-1, signal]);
      }
      host.writeFile(`${directory}/text`, "exit 0\n", 0o755);
      host.sys.chmod(`${directory}/text`, 0o755);
      throws(() => host.run(`${directory}/text`, { argv: ["text"], env: [], timeoutMs: 10_000 }), "ENOEXEC");
    },
  },
  {
    name: "run: arguments and environment arrive exactly",
    level: "kernel",
    run({ host }) {
      const argv = ["sh", "-c", 'printf "%s|" "$0" "$@"; printf "%s" "$A"', "zero", "", "a b", "ü"];
      equal(host.run("/bin/sh", { argv, env: ["A=x=y"], timeoutMs: 10_000 }).stdout, "zero||a b|ü|x=y");
      equal(
        host.run("/usr/bin/env", { argv: ["env"], env: ["B=1", "C="], timeoutMs: 10_000 }).stdout,
        "B=1\nC=\n",
      );
      equal(host.run("/usr/bin/env", { argv: ["env"], env: [], timeoutMs: 10_000 }).stdout, "");
    },
  },
  {
    name: "run: a megabyte in and out",
    level: "kernel",
    run({ host }) {
      const text = "0123456789abcde\n".repeat(MEGABYTE / 16);
      const result = shell(host, "cat; cat /proc/self/status >/dev/null", { stdin: host.encode(text) });
      equal(result.stdout === text, true, "what came back");
    },
  },
  {
    name: "run: stdin can be opened by name, as scripts do",
    level: "kernel",
    run({ host }) {
      equal(shell(host, "cat /dev/stdin", { stdin: host.encode("text") }).stdout, "text");
    },
  },
  {
    name: "run: a child that does not read, closes its stdin or its stdout early",
    level: "kernel",
    run({ host }) {
      const stdin = new Uint8Array(MEGABYTE);
      equal(shell(host, "exit 4", { stdin }).exitCode, 4);
      equal(shell(host, "exec <&-; printf x; exit 5", { stdin }).stdout, "x");
      equal(shell(host, "exec >&-; cat >/dev/null; exit 6", { stdin }).exitCode, 6);
      equal(shell(host, "head -c 10 >/dev/null; head -c 300000 /dev/zero", { stdin }).stdout.length, 300_000);
    },
  },
  {
    name: "run and start: standard streams",
    level: "kernel",
    run({ host, directory }) {
      const script = "echo out; echo err >&2";
      const { stdout, stderr } = shell(host, script, { captureStderr: true });
      equal([stdout, stderr], ["out\n", "err\n"]);
      const ours = [0, 1, 2].map((fd) => host.readLink(`/proc/self/fd/${fd}`));
      const streams = "readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2; :";
      const inRun = shell(host, streams).stdout.split("\n");
      equal(inRun[2], ours[2], "stderr in run");
      truthy(inRun[0] !== ours[0] && inRun[1] !== ours[1], "its own stdin and stdout in run");
      truthy(shell(host, streams, { captureStderr: true }).stdout.split("\n")[2] !== ours[2], "captured");
      startShell(host, `{ ${streams}; } > ${directory}/streams`);
      const inStart = host.readFile(`${directory}/streams`).split("\n");
      equal([inStart[0], inStart[2]], [ours[0], ours[2]], "streams in start");
    },
  },
  {
    name: "run and start: a child has no descriptor of ours but the standard streams",
    level: "kernel",
    run({ host, directory }) {
      const file = `${directory}/open-file`;
      host.writeFile(file, "");
      const fd = host.open(file, O_RDONLY);
      const socket = host.sys.socket(-1, 1, 1, 0);
      const link = host.readLink(`/proc/self/fd/${socket}`);
      const list = "ls -l /proc/self/fd";
      startShell(host, `${list} > ${directory}/listed`);
      for (const listed of [shell(host, list).stdout, host.readFile(`${directory}/listed`)]) {
        truthy(listed.includes("0 -> "), "the list names stdin");
        truthy(!listed.includes(file) && !listed.includes(link), "neither the file nor the socket is listed");
      }
      host.close(fd);
      host.close(socket);
    },
  },
  {
    name: "run: at the timeout the whole process group dies, and leaves no zombie",
    level: "kernel",
    run({ host, directory }) {
      const pidFile = `${directory}/pid`;
      const script = `trap '' TERM; sleep 1000 & echo $! > ${pidFile}; wait`;
      throws(() => shell(host, script, { timeoutMs: 300 }), "ETIMEDOUT");
      const grandchild = Number(host.readFile(pidFile));
      eventually(host, "the grandchild dies", () => isGone(host, grandchild));
      equal(zombies(host), [], "zombies");
    },
  },
  {
    name: "run: a child that prints without end is stopped, by its time or its amount",
    level: "kernel",
    run({ host }) {
      throws(() => shell(host, "while :; do echo y; done", { timeoutMs: 200 }), "ETIMEDOUT");
      throws(() => shell(host, "exec yes", { timeoutMs: 600_000 }), "EFBIG");
      equal(zombies(host), [], "zombies");
    },
  },
  {
    name: "run: a grandchild that holds stdout, silent or chatting, is not waited for",
    level: "kernel",
    run({ host, directory }) {
      for (const daemon of ["sleep 1000", "yes"]) {
        const pidFile = `${directory}/pid`;
        const { exitCode } = shell(host, `${daemon} & echo $! > ${pidFile}; exit 7`);
        const pid = Number(host.readFile(pidFile));
        host.sys.kill(pid, SIGKILL);
        equal(exitCode, 7, daemon);
        eventually(host, `${daemon} dies`, () => isGone(host, pid));
      }
    },
  },
  {
    name: "run and start: children have no signal blocked, SIGPIPE and SIGCHLD not ignored",
    level: "kernel",
    run({ host, directory }) {
      const script = "grep Sig /proc/self/status";
      checkSignals(shell(host, script).stdout);
      startShell(host, `${script} > ${directory}/signals`);
      checkSignals(host.readFile(`${directory}/signals`));
    },
  },
  {
    name: "start, wait, kill",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      equal(startShell(host, `echo $A > ${directory}/file; exit 3`, { env: ["A=1"] }), 3 << 8);
      equal(host.readFile(`${directory}/file`), "1\n");
      const pid = sys.start(-1, "/bin/sleep", vector(["sleep", "1000"]), "", "");
      truthy(pid > 0, "started");
      fails(sys.wait(pid, 30), "ETIMEDOUT");
      equal(sys.kill(pid, SIGTERM), 0);
      equal(sys.wait(pid, 10_000), SIGTERM);
      fails(sys.wait(pid, 0), "ESRCH");
      fails(sys.kill(pid, SIGTERM), "ESRCH");
      fails(sys.start(-1, `${directory}/no`, "", "", ""), "ENOENT");
      fails(sys.start(-1, directory, "", "", ""), "EACCES");
      equal(zombies(host), [], "zombies");
    },
  },
  {
    name: "kill takes one process: an error taken for a pid hits nobody",
    level: "kernel",
    run({ host: { sys } }) {
      for (const pid of [0, -1, -errno.ENOENT]) fails(sys.kill(pid, 0), "EINVAL", `kill ${pid}`);
      fails(sys.wait(1, 0), "ETIMEDOUT");
      fails(sys.wait(-1, 0), "EINVAL");
    },
  },
  {
    name: "signalfd holds signals back and gives them, and children do not inherit that",
    level: "alone",
    run({ host }) {
      const { sys } = host;
      const fd = sys.signalfd(1 << (SIGUSR1 - 1));
      const information = new Uint8Array(128);
      fails(sys.read(fd, information, 30), "ETIMEDOUT");
      equal(sys.kill(sys.getpid(), SIGUSR1), 0);
      equal(sys.read(fd, information, 10_000), 128);
      equal(new DataView(information.buffer).getUint32(0, true), SIGUSR1);
      checkSignals(shell(host, "grep Sig /proc/self/status").stdout);
      host.close(fd);
    },
  },
];

/** Runs a script to its end. */
export function shell(host: Host, script: string, options: Partial<RunOptions> = {}): RunResult {
  return host.run("/bin/sh", { argv: ["sh", "-c", script], env: [PATH], timeoutMs: 60_000, ...options });
}

/** Starts a script and gives its wait status. */
export function startShell(
  host: Host,
  script: string,
  { netns = -1, env = [] as string[], binds = [] as string[] } = {},
): number {
  const argv = vector(["sh", "-c", script]);
  const pid = host.sys.start(netns, "/bin/sh", argv, vector([PATH, ...env]), vector(binds));
  truthy(pid > 0, `started (${pid})`);
  return host.sys.wait(pid, 60_000);
}

function checkSignals(status: string): void {
  const mask = (name: string) => BigInt(`0x${new RegExp(`${name}:\\s*(\\w+)`).exec(status)?.[1] ?? "f"}`);
  equal(mask("SigBlk").toString(2), "0", "blocked signals");
  for (const signal of [SIGPIPE, SIGCHLD])
    equal((mask("SigIgn") >> BigInt(signal - 1)) & 1n ? "ignored" : "default", "default", `signal ${signal}`);
}

/** State and parent of a process, from proc_pid_stat(5). */
function processState(host: Host, pid: number): { state: string; parent: number } | undefined {
  let text: string | undefined;
  try {
    text = host.readFileIfAny(`/proc/${pid}/stat`);
  } catch {
    return undefined; // it went while we read
  }
  const [state, parent] = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  return state === undefined ? undefined : { state, parent: Number(parent) };
}

/** A dead process stays until its new parent, which is not ours, has asked for its status. */
function isGone(host: Host, pid: number): boolean {
  const state = processState(host, pid)?.state;
  return state === undefined || state === "Z" || state === "X";
}

/** Our children that ended and were not asked for. */
function zombies(host: Host): number[] {
  const own = host.sys.getpid();
  const pids = host.readDirectory("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    const process = processState(host, pid);
    return process?.parent === own && process.state === "Z";
  });
}
