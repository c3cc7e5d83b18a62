import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { plumb } from "../programs.ts";

// host-local as a program, beside the reference's where that is installed, each test on a directory of its own.

const reference = ["/usr/lib/cni", "/opt/cni/bin"]
  .map((directory) => join(directory, "host-local"))
  .find(
    (file) =>
      existsSync(file) && !execFileSync("readlink", ["-f", file], { encoding: "utf8" }).includes("plumb"),
  );
const besideReference = { skip: reference === undefined && "the reference's host-local is not installed" };

interface Outcome {
  readonly code: number | null;
  // biome-ignore lint/suspicious/noExplicitAny: what a program printed
  readonly output: any;
}

class Network {
  readonly dataDir = mkdtempSync(join(tmpdir(), "host-local-"));
  readonly directory = join(this.dataDir, "net");
  readonly #bin = mkdtempSync(join(tmpdir(), "host-local-bin-"));
  readonly ours = join(this.#bin, "host-local");
  readonly #config: string;

  constructor(t: TestContext, ranges: unknown) {
    symlinkSync(plumb, this.ours);
    const ipam = { type: "host-local", dataDir: this.dataDir, ranges };
    this.#config = JSON.stringify({ cniVersion: "1.0.0", name: "net", type: "bridge", ipam });
    t.after(() => {
      for (const directory of [this.dataDir, this.#bin]) rmSync(directory, { recursive: true });
    });
  }

  start(program: string, command: string, containerId: string, wrap: readonly string[] = []): ChildProcess {
    const [file, ...args] = [...wrap, program];
    const child = spawn(file!, args, {
      env: {
        PATH: process.env["PATH"],
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_IFNAME: "eth0",
        CNI_NETNS: "/none",
        CNI_PATH: this.#bin,
      },
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin!.on("error", () => {}).end(this.#config);
    return child;
  }

  async run(
    program: string,
    command: string,
    containerId: string,
    wrap?: readonly string[],
  ): Promise<Outcome> {
    const child = this.start(program, command, containerId, wrap);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const output = await text(child.stdout!);
    return { code: await ended, output: output === "" ? undefined : JSON.parse(output) };
  }

  /** The address that ADD gave. */
  async add(program: string, containerId: string): Promise<string> {
    const { code, output } = await this.run(program, "ADD", containerId);
    assert.equal(code, 0, JSON.stringify(output));
    return output.ips[0].address.split("/")[0];
  }

  async del(program: string, containerId: string): Promise<void> {
    const { code, output } = await this.run(program, "DEL", containerId);
    assert.equal(code, 0, JSON.stringify(output));
  }

  /** Addresses and who holds them. */
  held(): Record<string, string> {
    const names = readdirSync(this.directory).filter((name) => /^10\./.test(name));
    return Object.fromEntries(names.map((name) => [name, this.holder(name)]));
  }

  holder(address: string): string {
    return readFileSync(join(this.directory, address), "utf8").split("\r\n")[0]!;
  }
}

const names = (count: number, prefix = "c") =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test("a crowd of ours and of the reference share a range", besideReference, async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/26" }]]);
  const programs = [network.ours, reference!];
  const ids = names(61);
  const given = await Promise.all(ids.map((id, index) => network.add(programs[index % 2]!, id)));
  assert.equal(new Set(given).size, 61);
  assert.deepEqual(network.held(), Object.fromEntries(given.map((address, index) => [address, ids[index]!])));
  for (const program of programs) {
    const { code, output } = await network.run(program, "ADD", "one-more");
    assert.notEqual(code, 0);
    assert.match(output.msg, /no IP addresses available in range set: 10\.7\.0\.1-10\.7\.0\.62/);
  }
  await Promise.all(ids.map((id, index) => network.del(programs[(index + 1) % 2]!, id)));
  assert.deepEqual(network.held(), {});
});

test("each sees at once what the other did", besideReference, async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/24" }]]);
  const pairs: [string, string][] = [
    [network.ours, reference!],
    [reference!, network.ours],
  ];
  for (const [round, [first, second]] of pairs.entries()) {
    assert.equal(await network.add(first, "c1"), `10.7.0.${2 + 2 * round}`);
    const again = await network.run(second, "ADD", "c1");
    assert.match(again.output.msg, /has been allocated to c1, duplicate allocation is not allowed/);
    assert.equal((await network.run(second, "CHECK", "c1")).code, 0);
    assert.equal(await network.add(second, "c2"), `10.7.0.${3 + 2 * round}`);
    await network.del(second, "c1");
    assert.notEqual((await network.run(first, "CHECK", "c1")).code, 0);
    await network.del(first, "c2");
    assert.deepEqual(network.held(), {});
  }
});

test("containers come and go in four lanes, by turns of both", besideReference, async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/28" }]]);
  const programs = [network.ours, reference!];
  const lane = async (lane: number) => {
    for (const [turn, id] of names(12, `lane${lane}-`).entries()) {
      const address = await network.add(programs[(lane + turn) % 2]!, id);
      // Not all that is held: other lanes remove theirs meanwhile.
      assert.equal(network.holder(address), id);
      await network.del(programs[(lane + (turn >> 1)) % 2]!, id);
    }
  };
  await Promise.all([0, 1, 2, 3].map(lane));
  assert.deepEqual(network.held(), {});
});

test("killed at any moment, nothing is given twice and nothing is lost", async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/28" }]]);
  const survivors = names(3, "survivor");
  for (const id of survivors) await network.add(network.ours, id);
  const before = network.held();
  for (const [index, id] of names(60, "victim").entries()) {
    const child = network.start(network.ours, index % 3 === 2 ? "DEL" : "ADD", id);
    const ended = new Promise((resolve) => child.on("close", resolve));
    // Somewhere in the two or three milliseconds that a call takes.
    await sleep((index % 12) / 2);
    child.kill("SIGKILL");
    await ended;
    await network.del(network.ours, id);
  }
  assert.deepEqual(network.held(), before);
  for (const id of names(10)) await network.add(network.ours, id);
  assert.equal(Object.keys(network.held()).length, 13);
  assert.deepEqual(
    readdirSync(network.directory)
      .filter((name) => !/^10\./.test(name))
      .sort(),
    ["last_reserved_ip.0", "lock"],
  );
});

test("with 1,000 addresses reserved ADD and DEL open as few files as with one", async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/20" }]]);
  const trace = join(network.dataDir, "trace");
  const wrap = ["strace", "-qq", "-o", trace, "-e", "trace=open,openat,getdents64"];
  /** How often each asks for a file or a directory's names. */
  const opened = async () => {
    const counts: number[] = [];
    for (const command of ["ADD", "DEL"]) {
      assert.equal((await network.run(network.ours, command, "c1", wrap)).code, 0);
      counts.push(readFileSync(trace, "utf8").trim().split("\n").length);
    }
    return counts;
  };
  // The first of each, here and after others have been there, reads everything.
  await opened();
  const few = await opened();
  for (let n = 0; n < 1000; n++) {
    const address = `10.7.${8 + Math.floor(n / 250)}.${1 + (n % 250)}`;
    writeFileSync(join(network.directory, address), `other${n}\r\neth0`);
  }
  const [first] = await opened();
  assert.ok(first! > 1000);
  // The container's part of the index has others in it now, and is written again rather than removed.
  const [add, del] = few;
  assert.deepEqual(await opened(), [add, del! + 1]);
});

test("reservations of an earlier boot are given again", async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/29" }]]);
  for (const id of names(5, "old")) await network.add(network.ours, id);
  const bootId = join(network.dataDir, "boot_id");
  writeFileSync(bootId, "01234567-0000-4000-8000-000000000000\n");
  const script = `mount --bind ${bootId} /proc/sys/kernel/random/boot_id && exec "$0"`;
  const rebooted = ["unshare", "--mount", "sh", "-ec", script];
  assert.equal((await network.run(network.ours, "ADD", "early")).output.code, 11);
  for (const id of names(5, "new"))
    assert.equal((await network.run(network.ours, "ADD", id, rebooted)).code, 0);
  assert.equal((await network.run(network.ours, "ADD", "late", rebooted)).output.code, 11);
  assert.deepEqual(Object.values(network.held()).sort(), names(5, "new"));
});

test("so are those that the reference made before it", besideReference, async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/29" }]]);
  for (const id of names(5, "old")) await network.add(reference!, id);
  utimesSync(join(network.directory, "10.7.0.4"), 1e9, 1e9);
  assert.equal(await network.add(network.ours, "new"), "10.7.0.4");
  assert.equal((await network.run(network.ours, "ADD", "late")).output.code, 11);
});

test("a full disk is said and leaves nothing behind", async (t) => {
  const network = new Network(t, [[{ subnet: "10.7.0.0/24" }]]);
  const holder = spawn(
    "unshare",
    [
      "--mount",
      "sh",
      "-ec",
      `mount -t tmpfs -o nr_inodes=24 small ${network.dataDir}; echo ready; exec sleep infinity`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  t.after(() => holder.kill());
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const there = ["nsenter", "--mount", `--target=${holder.pid}`];
  const list = () =>
    execFileSync(there[0]!, [...there.slice(1), "find", network.directory], { encoding: "utf8" })
      .split("\n")
      .sort();
  let before: string[] = [];
  let outcome: Outcome = { code: 0, output: undefined };
  for (let i = 0; i < 24 && outcome.code === 0; i++) {
    before = i === 0 ? [] : list();
    outcome = await network.run(network.ours, "ADD", `c${i}`, there);
  }
  assert.equal(outcome.output.code, 5);
  assert.match(outcome.output.msg, /ENOSPC/);
  assert.match(outcome.output.details, /disk is full/);
  assert.deepEqual(list(), before);
});
