import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME } from "../../src/host/host.ts";
import { type Case, equal, fails, truthy } from "./case.ts";

export const surroundingsCases: readonly Case[] = [
  {
    name: "clocks go on, sleep lasts",
    level: "fake",
    run({ host }) {
      for (const id of [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME]) {
        const start = host.clock(id);
        host.sleep(20);
        truthy(host.clock(id) - start >= 19e6, `clock ${id} went on by 20 ms`);
      }
      truthy(host.clock(CLOCK_REALTIME) > 1_600_000_000e9, "it is after 2020");
      fails(host.sys.clock(999), "EINVAL");
    },
  },
  {
    name: "random bytes fill what they are given",
    level: "fake",
    run({ host }) {
      const [first, second] = [host.random(16), host.random(16)];
      truthy(first.join() !== second.join(), "two differ");
      truthy(
        host
          .random(100_000)
          .slice(-100)
          .some((byte) => byte !== 0),
        "the end is filled too",
      );
      equal(host.random(0).length, 0);
    },
  },
  {
    name: "the environment and the arguments",
    level: "fake",
    run({ host }) {
      const entries = host.environment();
      for (const entry of entries) truthy(entry.length > 0 && !entry.includes("\0"), "an entry");
      const [name, value] = /^([^=]+)=(.*)$/s.exec(entries[0] ?? "PLUMB_TEST_NO_SUCH=")!.slice(1);
      equal(host.variable(name!), entries.length > 0 ? value : undefined);
      equal(host.variable("PLUMB_TEST_NO_SUCH_VARIABLE"), undefined);
      equal(host.variable(""), undefined);
      equal(host.variable("PATH\0"), undefined);
      truthy(host.argv().length > 0, "there is a first argument");
    },
  },
  {
    name: "the process: its number, its user, its streams",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      equal(String(sys.getpid()), host.readLink("/proc/self"));
      const uid = /^Uid:\t\d+\t(\d+)/m.exec(host.readFile("/proc/self/status"))?.[1];
      equal(String(sys.geteuid()), uid);
      host.writeFile(`${directory}/file`, "");
      const fd = host.open(`${directory}/file`, 0);
      equal(sys.isatty(fd), 0);
      host.close(fd);
    },
  },
  {
    name: "the number of open descriptors is limited by the hard limit alone",
    level: "kernel",
    run({ host }) {
      const limit = String(host.sys.openlimit());
      const line = /^Max open files +(\d+) +(\d+) /m.exec(host.readFile("/proc/self/limits"))!;
      equal(line.slice(1).join(), [limit, limit].join());
    },
  },
  {
    name: "what is closed later is closed in a moment",
    level: "fake",
    run({ host, directory }) {
      host.writeFile(`${directory}/file`, "");
      const fd = host.open(`${directory}/file`, 0);
      equal(host.sys.closelater(fd), 0);
      for (let turn = 0; turn < 1000 && typeof host.sys.fstat(fd) !== "number"; turn++) host.sleep(1);
      fails(host.sys.fstat(fd), "EBADF");
    },
  },
];
