import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { errno } from "../../host/errno.ts";
import { CLOCK_BOOTTIME } from "../../host/host.ts";
import type { Sys } from "../../host/sys.ts";
import { held, Scratch } from "./scratch.node.ts";

const SMALL = { ranges: [[{ subnet: "10.1.0.0/29" }]] };
const DUAL = { ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd00::/64" }]] };

/** Puts a file where the reference would have. */
function put(scratch: Scratch, address: string, content: string): void {
  mkdirSync(scratch.directory, { recursive: true });
  writeFileSync(join(scratch.directory, address), content, { mode: 0o600 });
}

function text(scratch: Scratch, name: string): string {
  return readFileSync(join(scratch.directory, name), "latin1");
}

test("ADD gives an address of each set, with gateway, routes and DNS", (t) => {
  const s = new Scratch(t, DUAL);
  const resolvConf = join(s.dataDir, "resolv.conf");
  writeFileSync(resolvConf, "nameserver 192.0.2.3\nsearch a.example\n");
  const result = s.result("c1", "eth0", {
    ipam: { resolvConf, routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.1.0.9" }] },
  });
  assert.deepEqual(JSON.parse(JSON.stringify(result)), {
    ips: [
      { address: "10.1.0.2/24", gateway: "10.1.0.1" },
      { address: "fd00::2/64", gateway: "fd00::1" },
    ],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.1.0.9" }],
    dns: { nameservers: ["192.0.2.3"], search: ["a.example"] },
  });
});

test("the files are those of the reference", (t) => {
  const s = new Scratch(t, DUAL);
  s.add("c1", "net0");
  assert.deepEqual(s.files(), { "10.1.0.2": held("c1", "net0"), "fd00::2": held("c1", "net0") });
  assert.equal(text(s, "last_reserved_ip.0"), "10.1.0.2");
  assert.equal(text(s, "last_reserved_ip.1"), "fd00::2");
  assert.equal(statSync(join(s.directory, "10.1.0.2")).mode & 0o7777, 0o600);
  assert.equal(statSync(s.directory).mode & 0o7777, 0o755);
  assert.ok(existsSync(join(s.directory, "lock")));
  s.del("c1", "net0");
  assert.deepEqual(s.files(), {});
});

test("the older form and the runtime's ranges come first", (t) => {
  const s = new Scratch(t);
  assert.deepEqual(
    s.add("c1", "eth0", {
      ipam: { subnet: "10.2.0.0/24", rangeStart: "10.2.0.20", gateway: "10.2.0.20" },
      runtimeConfig: { ipRanges: [[{ subnet: "10.3.0.0/24", rangeEnd: "10.3.0.5" }]] },
    }),
    ["10.3.0.2", "10.2.0.21", "10.1.0.2"],
  );
});

test("addresses come round robin, the gateway and the last of an IPv4 subnet never", (t) => {
  const s = new Scratch(t, {
    ranges: [[{ subnet: "10.1.0.0/29", gateway: "10.1.0.3" }, { subnet: "10.2.0.0/30" }]],
  });
  const given = [1, 2, 4, 5, 6].map((n) => `10.1.0.${n}`).concat("10.2.0.2");
  assert.deepEqual(
    given.map((_, i) => s.add(`c${i}`)[0]),
    given,
  );
  s.del("c2");
  s.del("c0");
  assert.deepEqual(s.add("d0"), ["10.1.0.1"]);
  s.del("d0");
  assert.deepEqual(s.add("d1"), ["10.1.0.4"]);
});

test("a full set is named, with what to do", (t) => {
  const s = new Scratch(t, SMALL);
  for (let i = 0; i < 5; i++) s.add(`c${i}`);
  const full = /no IP addresses available in range set: 10\.1\.0\.1-10\.1\.0\.6/;
  assert.throws(() => s.add("c5"), { code: 11, message: full, details: /GC/ });
  assert.throws(() => s.status(), { code: 50, message: full });
  s.del("c3");
  s.status();
  assert.deepEqual(s.add("c5"), ["10.1.0.5"]);
});

test("an ADD that fails in its second set gives back the first", (t) => {
  const s = new Scratch(t, { ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.2.0.0/30" }]] });
  s.add("c1");
  assert.throws(() => s.add("c2"), { code: 11, message: /for range 1: no IP addresses/ });
  assert.deepEqual(Object.keys(s.files()), ["10.1.0.2", "10.2.0.2"]);
  assert.deepEqual(s.indexed(), ["10.1.0.2", "10.2.0.2"]);
});

test("requested addresses", async (t) => {
  const ranges = [
    [{ subnet: "10.1.2.0/24" }, { subnet: "10.9.0.0/24" }],
    [{ subnet: "10.1.3.0/24" }],
    [{ subnet: "fd00::/64" }],
  ];
  const sources: Record<string, (...ips: string[]) => object> = {
    "the runtime": (...ips) => ({ runtimeConfig: { ips } }),
    args: (...ips) => ({ args: { cni: { ips } } }),
    both: (first, ...ips) => ({ args: { cni: { ips: [first] } }, runtimeConfig: { ips } }),
  };
  for (const [source, options] of Object.entries(sources))
    await t.test(`by ${source}`, (t) => {
      const s = new Scratch(t, { ranges });
      assert.deepEqual(s.add("c1", "eth0", options("fd00::99", "10.9.0.7/24")), [
        "10.9.0.7",
        "10.1.3.2",
        "fd00::99",
      ]);
    });
  await t.test("by CNI_ARGS", (t) => {
    const s = new Scratch(t, { ranges });
    assert.deepEqual(s.add("c1", "eth0", { env: { IP: "10.1.3.77" } }), ["10.1.2.2", "10.1.3.77", "fd00::2"]);
    assert.deepEqual(s.add("c2", "eth0", { env: { IP: "" } }), ["10.1.2.3", "10.1.3.78", "fd00::3"]);
  });
  await t.test("one that is named twice counts once", (t) => {
    const s = new Scratch(t, { ranges });
    const ips = ["10.9.0.7", "fd00::99", "10.9.0.7/24", "fd00:0::99"];
    assert.deepEqual(s.add("c1", "eth0", { runtimeConfig: { ips } }), ["10.9.0.7", "10.1.3.2", "fd00::99"]);
  });
  await t.test("that cannot be had", (t) => {
    const s = new Scratch(t, { ranges: [[{ subnet: "10.1.2.0/29" }], [{ subnet: "10.1.3.0/24" }]] });
    s.add("c1");
    const cases: [string[], string][] = [
      [["10.1.2.5", "10.1.2.6"], "failed to allocate all requested IPs: 10.1.2.6"],
      [["10.8.0.1"], "failed to allocate all requested IPs: 10.8.0.1"],
      [
        ["10.1.2.2"],
        "failed to allocate for range 0: requested IP address 10.1.2.2 is not available in range set 10.1.2.1-10.1.2.6",
      ],
      [["10.1.3.1"], "failed to allocate for range 1: requested ip 10.1.3.1 is subnet's gateway"],
      [["10.1.3.300"], 'cannot understand ip: "10.1.3.300"'],
    ];
    for (const [ips, message] of cases)
      assert.throws(() => s.add("c2", "eth0", { runtimeConfig: { ips } }), { code: 7, message });
    assert.deepEqual(Object.keys(s.files()), ["10.1.2.2", "10.1.3.2"]);
  });
});

test("versions before 0.3.0 have one address per family", (t) => {
  const s = new Scratch(t, {
    ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.2.0.0/24" }]],
    cniVersion: "0.2.0",
  });
  assert.throws(() => s.add("c1"), {
    code: 7,
    message: "CNI version 0.2.0 does not support more than 1 address per family",
  });
  assert.deepEqual(s.add("c1", "eth0", { ...DUAL, cniVersion: "0.2.0" }), ["10.1.0.2", "fd00::2"]);
});

test("a second ADD fails, other interfaces and containers do not", (t) => {
  const s = new Scratch(t);
  s.add("c1");
  const message = "10.1.0.2 has been allocated to c1, duplicate allocation is not allowed";
  assert.throws(() => s.add("c1"), { code: 100, message });
  assert.throws(() => s.add("c1", "eth0", { runtimeConfig: { ips: ["10.1.0.9"] } }), { code: 100, message });
  assert.deepEqual(s.add("c1", "eth1"), ["10.1.0.3"]);
  assert.deepEqual(s.add("c2"), ["10.1.0.4"]);
  s.del("c1", "eth1");
  assert.deepEqual(s.files(), { "10.1.0.2": held("c1"), "10.1.0.4": held("c2") });
});

test("what the reference reserved and released is seen", (t) => {
  const s = new Scratch(t);
  put(s, "10.1.0.2", held("r1"));
  assert.throws(() => s.add("r1"), { message: /10\.1\.0\.2 has been allocated to r1/ });
  assert.deepEqual(s.add("c1"), ["10.1.0.3"]);
  put(s, "10.1.0.4", held("r2"));
  put(s, "fd00::9", held("r2"));
  s.check("r2");
  s.del("r2");
  assert.deepEqual(Object.keys(s.files()), ["10.1.0.2", "10.1.0.3"]);
  rmSync(join(s.directory, "10.1.0.3"));
  assert.throws(() => s.check("c1"));
  assert.deepEqual(s.add("c1"), ["10.1.0.4"]);
});

test("the seal holds while nobody else changes anything", (t) => {
  const s = new Scratch(t);
  s.add("c1");
  let listings = 0;
  s.override((real) => ({
    readdir(path) {
      listings++;
      return real.readdir(path);
    },
  }));
  s.add("c2");
  s.check("c2");
  s.del("c1");
  s.del("unknown");
  assert.equal(listings, 0);
  put(s, "10.1.0.77", held("r1"));
  s.add("c3");
  assert.notEqual(listings, 0);
});

test("a lost index is made again", (t) => {
  const s = new Scratch(t);
  s.add("c1");
  rmSync(join(s.dataDir, ".plumb"), { recursive: true });
  assert.throws(() => s.add("c1"), { code: 100 });
  s.del("c1");
  assert.deepEqual(s.files(), {});
});

test("old files, with the container ID alone", (t) => {
  const s = new Scratch(t);
  put(s, "10.1.0.2", "old");
  assert.throws(() => s.add("old"), { code: 100 });
  assert.deepEqual(s.add("c1"), ["10.1.0.3"]);
  s.check("old");
  s.del("old");
  assert.deepEqual(s.files(), { "10.1.0.3": held("c1") });
  // Changed in place, which no directory shows.
  writeFileSync(join(s.directory, "10.1.0.3"), "c1");
  s.del("c1");
  assert.deepEqual(s.files(), {});
});

test("files of an owner are released before old files of the container", (t) => {
  const s = new Scratch(t);
  put(s, "10.1.0.2", "c1");
  put(s, "10.1.0.3", held("c1"));
  s.del("c1");
  assert.deepEqual(s.files(), { "10.1.0.2": "c1" });
});

test("DEL without reservations, directory or network is no error", (t) => {
  const s = new Scratch(t);
  s.del("c1");
  assert.ok(!existsSync(s.directory));
  s.add("c1");
  s.del("other");
  s.del("c1");
  s.del("c1");
});

test("CHECK", (t) => {
  const s = new Scratch(t, DUAL);
  const missing = { code: 100, message: "host-local: Failed to find address added by container c1" };
  assert.throws(() => s.check("c1"), missing);
  const result = s.result("c1");
  s.check("c1");
  s.check("c1", result);
  assert.throws(() => s.check("c1", result, "eth1"), missing);
  rmSync(join(s.directory, "fd00::2"));
  assert.throws(() => s.check("c1", result), {
    code: 100,
    message: "host-local: fd00::2 is not reserved for container c1",
  });
  s.del("c1");
  assert.throws(() => s.check("c1"), missing);
});

test("GC frees what no valid attachment holds", (t) => {
  const s = new Scratch(t);
  s.gc();
  for (const id of ["c1", "c2", "c3"]) s.add(id);
  s.add("c2", "eth1");
  put(s, "10.1.0.20", "old");
  put(s, "10.1.0.21", "older");
  put(s, "10.1.0.22", "");
  put(s, "notes", "not ours");
  s.gc("c2", "old", "unknown");
  assert.deepEqual(s.files(), { "10.1.0.20": "old", "10.1.0.3": held("c2") });
  assert.deepEqual(s.indexed(), ["10.1.0.20", "10.1.0.3"]);
  assert.equal(text(s, "notes"), "not ours");
});

test("empty and torn files are given again, lone container IDs not", (t) => {
  const s = new Scratch(t, SMALL);
  put(s, "10.1.0.2", "");
  put(s, "10.1.0.3", "c9\r\n");
  put(s, "10.1.0.4", "c9");
  put(s, "10.1.0.5", "\0\0\0\0\0\0\0\0");
  assert.deepEqual(
    ["a", "b", "c", "d"].map((id) => s.add(id)[0]),
    ["10.1.0.2", "10.1.0.6", "10.1.0.3", "10.1.0.5"],
  );
  assert.throws(() => s.add("e"), { code: 11 });
  assert.equal(text(s, "10.1.0.3"), held("c"));
});

test("a directory in an address's place holds the address", (t) => {
  const s = new Scratch(t);
  mkdirSync(join(s.directory, "10.1.0.2"), { recursive: true });
  assert.deepEqual(s.add("c1"), ["10.1.0.3"]);
  s.gc();
  assert.deepEqual(s.add("c2"), ["10.1.0.4"]);
});

const HOUR = 3600;

/** Seconds since the epoch at which the system started, by the clock as it is set now. */
function bootTime(): number {
  return Date.now() / 1000 - Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
}

function age(scratch: Scratch, address: string, seconds: number): void {
  utimesSync(join(scratch.directory, address), seconds, seconds);
}

/** Lets the scratch's host see another boot's ID. */
function reboot(scratch: Scratch): void {
  const path = join(scratch.dataDir, "boot_id");
  writeFileSync(path, "ffffffff-0000-4000-8000-000000000000\n");
  const open =
    (real: Sys): Sys["open"] =>
    (ns, name, flags, mode) =>
      real.open(ns, name === "/proc/sys/kernel/random/boot_id" ? path : name, flags, mode);
  scratch.override((real) => ({ open: open(real) }));
}

test("reservations of an earlier boot are given when nothing else is left", (t) => {
  const s = new Scratch(t, SMALL);
  put(s, "10.1.0.2", held("r1"));
  put(s, "10.1.0.3", held("r2"));
  age(s, "10.1.0.3", bootTime() - HOUR);
  assert.deepEqual(
    ["a", "b", "c"].map((id) => s.add(id)[0]),
    ["10.1.0.4", "10.1.0.5", "10.1.0.6"],
  );
  s.status();
  assert.deepEqual(s.add("d"), ["10.1.0.3"]);
  assert.throws(() => s.add("e"), { code: 11 });
  s.del("r2");
  assert.equal(text(s, "10.1.0.3"), held("d"));
});

test("and not looked past for long", (t) => {
  const s = new Scratch(t, { ranges: [[{ subnet: "10.1.0.0/16" }]] });
  for (let i = 2; i < 200; i++) put(s, `10.1.0.${i}`, held(`r${i}`));
  age(s, "10.1.0.9", bootTime() - HOUR);
  assert.deepEqual(s.add("a"), ["10.1.0.9"]);
});

test("after a reboot our reservations are dead, whatever their times say", async (t) => {
  const rebooted = (t: TestContext) => {
    const s = new Scratch(t, SMALL);
    for (let i = 0; i < 5; i++) s.add(`c${i}`);
    reboot(s);
    return s;
  };
  await t.test("they are given again", (t) => {
    const s = rebooted(t);
    s.status();
    for (const id of ["d0", "d1", "d2", "d3", "d4"]) s.add(id);
    assert.throws(() => s.add("d5"), { code: 11 });
    assert.deepEqual(
      Object.values(s.files()),
      ["d0", "d1", "d2", "d3", "d4"].map((id) => held(id)),
    );
  });
  await t.test("on request too", (t) => {
    const s = rebooted(t);
    assert.deepEqual(s.add("d0", "eth0", { env: { IP: "10.1.0.4" } }), ["10.1.0.4"]);
    assert.throws(() => s.add("d1", "eth0", { env: { IP: "10.1.0.4" } }), { code: 7 });
  });
  await t.test("the same container can be added again", (t) => {
    const s = rebooted(t);
    s.add("c1");
    assert.throws(() => s.add("c1"), { code: 100 });
    assert.equal(Object.values(s.files()).filter((content) => content === held("c1")).length, 1);
  });
  await t.test("DEL and GC free them", (t) => {
    const s = rebooted(t);
    s.del("c1");
    assert.equal(Object.keys(s.files()).length, 4);
    s.gc("c2");
    assert.deepEqual(Object.values(s.files()), [held("c2")]);
  });
  await t.test("also when others changed the directory", (t) => {
    const s = rebooted(t);
    rmSync(join(s.directory, "10.1.0.6"));
    put(s, "10.1.0.6", held("r1"));
    for (const id of ["d0", "d1", "d2", "d3"]) s.add(id);
    assert.throws(() => s.add("d4"), { code: 11 });
    assert.equal(text(s, "10.1.0.6"), held("r1"));
  });
});

test("a clock that was set forward does not kill the living", (t) => {
  const s = new Scratch(t, SMALL);
  for (let i = 0; i < 3; i++) s.add(`c${i}`);
  put(s, "10.1.0.5", held("r1"));
  // As after a pause of the virtual machine: the system seems to have started after they were made.
  s.override((real) => {
    const devices = real.stat(join(s.directory, "lock"));
    return {
      clock: (id) => (id === CLOCK_BOOTTIME ? 1e9 : real.clock(id) + HOUR * 1e9),
      stat: (path) => (path === "/dev/null" ? devices : real.stat(path)),
    };
  });
  s.add("d");
  assert.throws(() => s.add("e"), { code: 11 });
  assert.deepEqual(Object.values(s.files()), [...["c0", "c1", "c2", "r1", "d"].map((id) => held(id))]);
});

test("a full or refusing disk leaves nothing behind", async (t) => {
  const calls: [string, number][] = [
    ["write", errno.ENOSPC],
    ["link", errno.ENOSPC],
    ["open", errno.EROFS],
    ["open", errno.EACCES],
    ["settime", errno.EROFS],
  ];
  for (const [call, number] of calls)
    await t.test(`${call} fails with ${number}`, (t) => {
      const s = new Scratch(t, DUAL);
      s.add("c1");
      const before = s.files();
      s.override(() => ({ [call]: () => -number }));
      assert.throws(() => s.add("c2"), {
        name: "SysError",
        call: call === "settime" ? "utimensat" : call,
        errno: number,
      });
      s.override(() => ({}));
      if (call !== "settime") assert.deepEqual(s.files(), before);
      s.del("c2");
      assert.deepEqual(s.files(), before);
      assert.ok(!existsSync(join(s.directory, ".reserving")));
      s.add("c2");
    });
});

test("STATUS says that the directory cannot be written", (t) => {
  const s = new Scratch(t);
  s.status();
  assert.ok(!existsSync(s.directory));
  s.override((real) => ({
    open: (ns, path, flags, mode) => (flags === 0 ? real.open(ns, path, flags, mode) : -errno.EROFS),
  }));
  assert.throws(() => s.status(), {
    code: 50,
    message: /^host-local cannot write to its dataDir: open .*EROFS/,
  });
});

test("who holds the lock too long is named", (t) => {
  const s = new Scratch(t);
  s.add("c1");
  s.override(() => ({ flock: () => -errno.ETIMEDOUT }));
  assert.throws(() => s.add("c2"), {
    code: 11,
    message: /net\/lock has been held by another process for 60 s/,
  });
  const lock = join(s.directory, "lock");
  const locks = join(s.dataDir, "locks");
  writeFileSync(locks, `1: FLOCK  ADVISORY  WRITE 4242 fe:00:${statSync(lock).ino} 0 EOF\n`);
  s.override((real) => ({
    flock: () => -errno.ETIMEDOUT,
    open: (ns, path, flags, mode) => real.open(ns, path === "/proc/locks" ? locks : path, flags, mode),
  }));
  assert.throws(() => s.del("c1"), { code: 11, message: /held by process 4242/ });
});

test("without ipam there is nothing to do", (t) => {
  const s = new Scratch(t);
  const request = { ...s.request("c1"), config: {} };
  assert.throws(() => s.del.call(Object.assign(Object.create(s), { request: () => request }), "c1"), {
    code: 7,
    message: /IPAM config missing 'ipam' key/,
  });
});
