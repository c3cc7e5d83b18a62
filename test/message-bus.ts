// A message bus of a test's own, and on it the real firewalld where that is to be had.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { root } from "./root.ts";

/** Gives the command line that runs a command where the test wants it, as `World.entering`. */
export type Entering = (command: readonly string[]) => string[];

export interface MessageBus {
  /** For DBUS_SYSTEM_BUS_ADDRESS. */
  readonly address: string;
  readonly daemon: ChildProcess;
}

const here: Entering = (command) => [...command];

/** Starts dbus-daemon. `listen`: where, a socket in an empty directory unless told. `auth`: how others prove who they are. */
export async function startBus(
  t: TestContext,
  { entering = here, listen = "", auth = "EXTERNAL" } = {},
): Promise<MessageBus> {
  const directory = mkdtempSync(join(tmpdir(), "plumb-bus-"));
  const all = ["user", "own", "send_destination", "receive_sender"].map((what) => `<allow ${what}="*"/>`);
  const config = join(directory, "bus.conf");
  writeFileSync(
    config,
    `<busconfig><listen>${listen || `unix:path=${directory}/socket`}</listen><auth>${auth}</auth>
      <policy context="default">${all.join("")}</policy></busconfig>`,
  );
  const daemon = run(
    entering([
      "dbus-daemon",
      "--nofork",
      "--nopidfile",
      "--nosyslog",
      `--config-file=${config}`,
      "--print-address",
    ]),
  );
  t.after(() => {
    daemon.kill();
    rmSync(directory, { recursive: true });
  });
  for await (const line of createInterface(daemon.stdout!))
    return { address: line.replace(/,guid=.*/, ""), daemon };
  throw new Error("dbus-daemon said nothing");
}

/** Where scripts/setup puts firewalld, which it does not install: that would start it on the machine. */
const unpacked = join(root, "dist/firewalld");
const prefix = ["", unpacked].find((folder) => existsSync(join(folder, "/usr/sbin/firewalld")));

/** For tests that need firewalld. */
export const withFirewalld = {
  skip: prefix === undefined && "firewalld is not there: run scripts/setup tests",
};

/** Starts firewalld, which takes over the network namespace that `entering` leads to. */
export async function startFirewalld(
  t: TestContext,
  { address }: MessageBus,
  entering: Entering,
): Promise<ChildProcess> {
  const directory = mkdtempSync(join(tmpdir(), "plumb-firewalld-"));
  const child = run(
    entering([
      // It writes to /run.
      ...[
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-ec",
        'mount -t tmpfs run /run; exec "$@"',
        "sh",
      ],
      ...["env", `DBUS_SYSTEM_BUS_ADDRESS=${address}`, `PYTHONPATH=${prefix}/usr/lib/python3/dist-packages`],
      ...["PYTHONDONTWRITEBYTECODE=1", "/usr/bin/python3", `${prefix}/usr/sbin/firewalld`],
      ...["--nofork", "--nopid", "--log-target=console"],
      ...[`--default-config=${prefix}/usr/lib/firewalld`, `--system-config=${directory}`],
    ]),
  );
  t.after(() => {
    child.kill();
    rmSync(directory, { recursive: true });
  });
  const printed = text(child.stdout!);
  while (!answers(address)) {
    if (child.exitCode !== null) throw new Error(`firewalld ended: ${await printed}`);
    await setTimeout(50);
  }
  return child;
}

function answers(address: string): boolean {
  const firewalld = "org.fedoraproject.FirewallD1";
  const target = [`--dest=${firewalld}`, `/${firewalld.replaceAll(".", "/")}`, `${firewalld}.getDefaultZone`];
  return spawnSync("dbus-send", [`--bus=${address}`, "--print-reply", ...target]).status === 0;
}

function run([program, ...args]: readonly string[]): ChildProcess {
  return spawn(program!, args, { stdio: ["ignore", "pipe", "ignore"] });
}
