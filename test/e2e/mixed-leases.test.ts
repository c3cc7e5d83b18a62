import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { plumb } from "../programs.ts";
import { beside, folderOf, otherOf, RELEASES, type Release, SIDES, type Side } from "./mixed.ts";
import type { Json } from "./world.ts";

// One directory of leases that the reference's host-local and ours use at once.

/** Some dozens of addresses of each family. */
const RANGES = [
  [{ subnet: "10.7.0.0/24", rangeStart: "10.7.0.10", rangeEnd: "10.7.0.49" }],
  [{ subnet: "fd07::/64", rangeStart: "fd07::10", rangeEnd: "fd07::37" }],
];
const SIZE = 40;

/** What a worker holds for a container. */
interface Held {
  readonly id: string;
  readonly addresses: readonly string[];
}

interface Answer {
  readonly code: number | null;
  readonly output: Json;
}

/** The network `net` with a directory of its own. */
class Leases {
  readonly directory: string;
  readonly #programs: Readonly<Record<Side, string>>;
  readonly #config: string;
  readonly #folders = ["leases-", "leases-bin-"].map((name) => mkdtempSync(join(tmpdir(), name)));

  constructor(t: TestContext, release: Release, ranges: unknown = RANGES) {
    const [dataDir, bin] = this.#folders as [string, string];
    this.directory = join(dataDir, "net");
    this.#programs = { ours: join(bin, "host-local"), theirs: join(folderOf(release)!, "host-local") };
    symlinkSync(plumb, this.#programs.ours);
    const ipam = { type: "host-local", dataDir, ranges };
    this.#config = JSON.stringify({ cniVersion: "1.0.0", name: "net", type: "bridge", ipam });
    t.after(() => {
      for (const folder of this.#folders) rmSync(folder, { recursive: true });
    });
  }

  start(side: Side, command: "ADD" | "CHECK" | "DEL" | "GC", id: string) {
    const env = { PATH: process.env["PATH"], CNI_COMMAND: command, CNI_PATH: this.#folders[1] };
    const attachment = { CNI_CONTAINERID: id, CNI_IFNAME: "eth0", CNI_NETNS: "/none" };
    const child = spawn(this.#programs[side], { env: { ...env, ...(id && attachment) } });
    child.stdin.on("error", () => {}).end(this.#config);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const answer = async (): Promise<Answer> => {
      const output = await text(child.stdout);
      return { code: await ended, output: output === "" ? undefined : JSON.parse(output) };
    };
    return { child, ended, answer };
  }

  call(side: Side, command: "ADD" | "CHECK" | "DEL" | "GC", id: string): Promise<Answer> {
    return this.start(side, command, id).answer();
  }

  async del(side: Side, id: string): Promise<void> {
    const { code, output } = await this.call(side, "DEL", id);
    assert.equal(code, 0, `${side} ${id}: ${JSON.stringify(output)}`);
  }

  /** The addresses that an ADD gave, undefined if there were none left. */
  async add(side: Side, id: string): Promise<string[] | undefined> {
    const { code, output } = await this.call(side, "ADD", id);
    if (code === 0) return output.ips.map(({ address }: Json) => address.split("/")[0]);
    assert.match(
      output.msg,
      /no IP addresses available in range set: (10\.7\.0\.10-10\.7\.0\.49|fd07::10-fd07::37)$/,
    );
    return undefined;
  }

  /** The file of an address, byte for byte. */
  file(address: string): string {
    return readFileSync(join(this.directory, address), "latin1");
  }

  last(set: number): string {
    return this.file(`last_reserved_ip.${set}`);
  }

  /** Addresses with files. */
  taken(): string[] {
    return readdirSync(this.directory).filter((name) => /^(10\.|fd07)/.test(name));
  }
}

const lease = (id: string) => `${id}\r\neth0`;
const names = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

for (const release of RELEASES) {
  test(
    `${release} and ours give addresses of one range by turns, and each goes on where the other was`,
    beside(release),
    async (t) => {
      const leases = new Leases(t, release);
      // Twice through the range: an address that is given back comes again at the end of the round only.
      for (let turn = 0; turn < 2 * SIZE + 2; turn++) {
        const side = SIDES[turn % 2]!;
        const id = `c${turn}`;
        const at = turn % SIZE;
        const expected = [`10.7.0.${10 + at}`, `fd07::${(0x10 + at).toString(16)}`];
        assert.deepEqual(await leases.add(side, id), expected, `${side} ${id}`);
        for (const address of expected) {
          assert.equal(leases.file(address), lease(id));
          // That of 1.1.1 may be read by all.
          if (side === "ours") assert.equal(statSync(join(leases.directory, address)).mode & 0o777, 0o600);
        }
        assert.deepEqual([leases.last(0), leases.last(1)], expected);
        assert.equal((await leases.call(otherOf(side), "CHECK", id)).code, 0);
        await leases.del(otherOf(side), id);
        assert.deepEqual(leases.taken(), []);
      }
      assert.deepEqual(readdirSync(leases.directory).sort(), [
        "last_reserved_ip.0",
        "last_reserved_ip.1",
        "lock",
      ]);
    },
  );

  test(
    `${release} and ours at once: no address is given twice, none is lost, the range is used in turn`,
    beside(release),
    async (t) => {
      const leases = new Leases(t, release);
      const WORKERS = 4;
      const CONTAINERS = 20;
      const HELD = 3;
      const holders = new Map<string, string>();
      const given: string[] = [];
      const giveBack = async ({ id, addresses }: Held, by: Side) => {
        for (const address of addresses) {
          assert.equal(leases.file(address), lease(id));
          holders.delete(address);
        }
        await leases.del(by, id);
      };
      const worker = async (side: Side, number: number) => {
        const own: Held[] = [];
        for (const id of names(CONTAINERS, `${side}${number}-`)) {
          const addresses = await leases.add(side, id);
          assert.ok(addresses, "there are more addresses than the workers hold");
          for (const address of addresses) {
            assert.equal(holders.get(address), undefined, `${address} for ${id}`);
            holders.set(address, id);
            assert.equal(leases.file(address), lease(id));
          }
          given.push(addresses[0]!);
          own.push({ id, addresses });
          if (own.length < HELD) continue;
          // Half of them by the other one.
          await giveBack(own.shift()!, given.length % 2 ? side : otherOf(side));
        }
        for (const one of own) await giveBack(one, otherOf(side));
      };
      await Promise.all(
        SIDES.flatMap((side) => Array.from({ length: WORKERS }, (_, number) => worker(side, number))),
      );
      assert.equal(given.length, 2 * WORKERS * CONTAINERS);
      assert.deepEqual(leases.taken(), []);
      // Those that are held are left out, and the answers of eight that are out at once may pass each other.
      const least = SIZE - 2 * WORKERS * HELD - 2 * WORKERS;
      for (const [index, address] of given.entries())
        assert.ok(
          !given.slice(Math.max(0, index - least), index).includes(address),
          `${address} came again at once`,
        );
    },
  );

  test(
    `${release} and ours use the range up, to its last address, and go on when some come back`,
    beside(release),
    async (t) => {
      const leases = new Leases(t, release);
      const ids = names(SIZE + 8, "c");
      const side = (index: number) => SIDES[index % 2]!;
      const answers = await Promise.all(ids.map((id, index) => leases.add(side(index), id)));
      const got = ids.flatMap((id, index) =>
        answers[index] ? [{ id, index, addresses: answers[index] }] : [],
      );
      assert.equal(got.length, SIZE);
      assert.equal(new Set(got.flatMap(({ addresses }) => addresses)).size, 2 * SIZE);
      // Who got nothing has left nothing, of neither family.
      assert.deepEqual(
        leases
          .taken()
          .map((address) => leases.file(address))
          .sort(),
        got.flatMap(({ id }) => [lease(id), lease(id)]).sort(),
      );
      for (const each of SIDES) assert.equal(await leases.add(each, "late"), undefined);
      const [first, second] = got;
      for (const [{ id, addresses, index }, by] of [
        [first!, "ours"],
        [second!, "theirs"],
      ] as const) {
        await leases.del(otherOf(side(index)), id);
        assert.deepEqual((await leases.add(by, `${id}-again`))!.sort(), [...addresses].sort());
        assert.equal(await leases.add(otherOf(by), "late"), undefined);
      }
      await Promise.all(
        [...got, ...got.map((one) => ({ ...one, id: `${one.id}-again` }))].map(({ id, index }) =>
          leases.del(otherOf(side(index)), id),
        ),
      );
      assert.deepEqual(leases.taken(), []);
    },
  );

  test(
    `${release} and ours are killed while they give and take: nothing is given twice, and all comes back`,
    beside(release),
    async (t) => {
      const leases = new Leases(t, release);
      const survivors = await Promise.all(
        names(8, "survivor").map(async (id, index) => ({
          id,
          addresses: await leases.add(SIDES[index % 2]!, id),
        })),
      );
      const worker = async (side: Side) => {
        for (const [index, id] of names(40, `${side}-victim`).entries()) {
          const { child, ended } = leases.start(side, index % 3 === 2 ? "DEL" : "ADD", id);
          // Somewhere in the few milliseconds that a call takes.
          await sleep((index % 12) / 2);
          child.kill("SIGKILL");
          await ended;
          await leases.del(index % 2 ? side : otherOf(side), id);
        }
      };
      await Promise.all(SIDES.map(worker));
      for (const { id, addresses } of survivors)
        for (const address of addresses!) assert.equal(leases.file(address), lease(id));
      // The reference makes a file and then fills it. What it left empty ours takes for free.
      const mine = new Set(survivors.flatMap(({ addresses }) => addresses!));
      for (const address of leases.taken())
        if (!mine.has(address)) assert.equal(leases.file(address), "", address);
      const rest = SIZE - survivors.length;
      for (const id of names(rest, "after")) assert.ok(await leases.add("ours", id), id);
      assert.equal(await leases.add("ours", "late"), undefined);
      assert.equal(leases.taken().length, 2 * SIZE);
      for (const id of [...survivors.map(({ id }) => id), ...names(rest, "after")])
        await leases.del("theirs", id);
      assert.deepEqual(leases.taken(), []);
      assert.ok(existsSync(join(leases.directory, "lock")));
    },
  );
}
