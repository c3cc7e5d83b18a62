import {
  LOCK_EX,
  LOCK_SH,
  LOCK_UN,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from "../../src/host/host.ts";
import { type Case, equal, fails, type Setting, throws, truthy } from "./case.ts";

export const fileCases: readonly Case[] = [
  {
    name: "a path with a NUL is refused by every call that takes one",
    level: "fake",
    run({ host: { sys }, directory }) {
      const bad = `${directory}/a\0b`;
      const good = `${directory}/good`;
      const none = new Uint8Array();
      const calls: Record<string, () => unknown> = {
        open: () => sys.open(-1, bad, O_WRONLY | O_CREAT, 0o600),
        stat: () => sys.stat(bad),
        lstat: () => sys.lstat(bad),
        unlink: () => sys.unlink(bad),
        "rename from": () => sys.rename(bad, good),
        "rename to": () => sys.rename(good, bad),
        "link from": () => sys.link(bad, good),
        "link to": () => sys.link(good, bad),
        "symlink target": () => sys.symlink(bad, good),
        "symlink path": () => sys.symlink(good, bad),
        readlink: () => sys.readlink(bad),
        mkdir: () => sys.mkdir(bad, 0o700),
        rmdir: () => sys.rmdir(bad),
        chmod: () => sys.chmod(bad, 0o600),
        settime: () => sys.settime(bad, 0),
        readdir: () => sys.readdir(bad),
        "mount source": () => sys.mount(bad, good, "none", 0),
        "mount target": () => sys.mount(good, bad, "none", 0),
        "mount type": () => sys.mount(good, good, "no\0ne", 0),
        umount: () => sys.umount(bad, 0),
        run: () => sys.run(bad, "", "", none, 0, 1000, -1),
        start: () => sys.start(-1, bad, "", "", ""),
      };
      for (const [name, call] of Object.entries(calls)) fails(call(), "EINVAL", name);
      equal(words(sys.readdir(directory)), [], "files made");
    },
  },
  {
    name: "open: what the flags say, and the errors",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const file = `${directory}/file`;
      throws(() => host.open(file, O_RDONLY), "ENOENT");
      equal(throws(() => host.open(`${file}/x`, O_RDONLY), "ENOENT").subject, `${file}/x`);
      sys.close(host.open(file, O_WRONLY | O_CREAT | O_EXCL, 0o640));
      equal(host.stat(file).mode, S_IFREG | 0o640, "mode");
      throws(() => host.open(file, O_WRONLY | O_CREAT | O_EXCL), "EEXIST");
      throws(() => host.open(`${file}/x`, O_RDONLY), "ENOTDIR");
      throws(() => host.open(file, O_RDONLY | O_DIRECTORY), "ENOTDIR");
      throws(() => host.open(directory, O_WRONLY), "EISDIR");
      throws(() => host.open(`${directory}/${"n".repeat(256)}`, O_RDONLY), "ENAMETOOLONG");
      throws(() => host.open("", O_RDONLY), "ENOENT");
      throws(() => host.openIn(host.open(file, O_RDONLY), file, O_RDONLY), "EINVAL");
      throws(() => host.openIn(9999, file, O_RDONLY), "EBADF");
    },
  },
  {
    name: "descriptors: reading, writing, appending, and what a wrong one gives",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const file = `${directory}/file`;
      const fd = host.open(file, O_RDWR | O_CREAT | O_TRUNC);
      host.write(fd, host.encode("0123456789"));
      equal(host.readFile(file), "0123456789");
      equal(sys.read(fd, new Uint8Array(4), 1000), 0, "read at the end");
      const other = host.open(file, O_RDONLY);
      const four = new Uint8Array(4);
      equal(sys.read(other, four, 1000), 4);
      equal(host.decode(four), "0123");
      equal(host.decode(host.readAll(other, 100, 1000)), "456789", "the rest");
      fails(sys.write(other, four, 1000), "EBADF", "write to a descriptor for reading");
      const appending = host.open(file, O_WRONLY | O_APPEND);
      host.write(appending, host.encode("ab"));
      fails(sys.read(appending, four, 1000), "EBADF", "read from one for writing");
      fails(sys.readall(appending, 10, 1000), "EBADF");
      equal(host.readFile(file), "0123456789ab");
      for (const open of [fd, other, appending]) host.close(open);
      throws(() => host.close(fd), "EBADF");
      fails(sys.read(fd, four, 1000), "EBADF");
      fails(sys.write(fd, four, 1000), "EBADF");
      fails(sys.readall(fd, 10, 1000), "EBADF");
      fails(sys.fstat(fd), "EBADF");
      fails(sys.flock(fd, LOCK_EX, 1000), "EBADF");
    },
  },
  {
    name: "whole files: readFile, readFileIfAny, writeFile, removeFile",
    level: "fake",
    run({ host, directory }) {
      const file = `${directory}/file`;
      equal(host.readFileIfAny(file), undefined);
      throws(() => host.readFile(file), "ENOENT");
      throws(() => host.readFile(directory), "EISDIR");
      host.writeFile(file, "first, and longer");
      host.writeFile(file, "Grüße\0");
      equal(host.readFile(file), "Grüße\0");
      equal(host.readFileIfAny(file), "Grüße\0");
      host.writeFile(file, "x".repeat(100_001));
      equal(host.readFile(file).length, 100_001);
      throws(() => host.readFileIfAny(`${file}/x`), "ENOTDIR");
      throws(() => host.writeFile(`${directory}/no/file`, ""), "ENOENT");
      equal(host.removeFile(file), true);
      equal(host.removeFile(file), false);
      throws(() => host.removeFile(directory), "EISDIR");
    },
  },
  {
    name: "readAll gives as much as the limit, and EFBIG for one byte more",
    level: "fake",
    run({ host, directory }) {
      const file = `${directory}/file`;
      host.writeFile(file, "x".repeat(5000));
      equal(reading(host, file, 5000), 5000);
      throws(() => reading(host, file, 4999), "EFBIG");
      host.writeFile(file, "");
      equal(reading(host, file, 0), 0);
    },
  },
  {
    name: "replaceFile: who has the old file open keeps it, and no other name is left",
    level: "fake",
    run({ host, directory }) {
      const file = `${directory}/file`;
      host.replaceFile(file, "old", 0o600);
      const old = host.open(file, O_RDONLY);
      host.replaceFile(file, "new", 0o644);
      equal(host.decode(host.readAll(old, 100, 1000)), "old");
      host.close(old);
      equal(host.readFile(file), "new");
      equal(host.stat(file).mode, S_IFREG | 0o644);
      host.makeDirectories(`${directory}/folder`);
      throws(() => host.replaceFile(`${directory}/folder`, "x"), "EISDIR");
      throws(() => host.replaceFile(`${directory}/no/file`, "x"), "ENOENT");
      equal(host.readDirectory(directory).sort(), ["file", "folder"]);
    },
  },
  {
    name: "directories: make, list, remove",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      host.makeDirectories(`${directory}/a/b/c`, 0o700);
      host.makeDirectories(`${directory}/a/b/c`);
      host.makeDirectories(`${directory}/a/b/../d/`);
      equal(host.stat(`${directory}/a/b`).mode, S_IFDIR | 0o700);
      host.writeFile(`${directory}/a/ü`, "");
      equal(host.readDirectory(`${directory}/a`).sort(), ["b", "d", "ü"]);
      equal(host.readDirectory(`${directory}/a/d`), []);
      throws(() => host.makeDirectories(`${directory}/a/ü/x`), "ENOTDIR");
      throws(() => host.readDirectory(`${directory}/a/ü`), "ENOTDIR");
      throws(() => host.readDirectory(`${directory}/no`), "ENOENT");
      fails(sys.mkdir(`${directory}/a`, 0o700), "EEXIST");
      fails(sys.rmdir(`${directory}/a/b`), "ENOTEMPTY");
      fails(sys.rmdir(`${directory}/a/ü`), "ENOTDIR");
      equal(sys.rmdir(`${directory}/a/b/c`), 0);
      fails(sys.rmdir(`${directory}/a/b/c`), "ENOENT");
    },
  },
  {
    name: "a directory of 10,000 files is listed whole",
    level: "fake",
    run({ host, directory }) {
      const names = Array.from({ length: 10_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`).sort();
      for (const name of names) host.sys.close(host.open(`${directory}/${name}`, O_WRONLY | O_CREAT));
      equal(host.readDirectory(directory).sort().join(), names.join());
      for (const name of names) host.removeFile(`${directory}/${name}`);
      equal(host.readDirectory(directory), []);
    },
  },
  {
    name: "status: stat, statIfAny, statOpen, lstat, chmod, settime",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const file = `${directory}/file`;
      equal(host.statIfAny(file), undefined);
      throws(() => host.stat(file), "ENOENT");
      const before = host.clock(0);
      host.writeFile(file, "12345", 0o600);
      const status = host.stat(file);
      equal([status.mode, status.size, status.nlink], [S_IFREG | 0o600, 5, 1]);
      truthy(Math.abs(status.mtimeNs - before) < 60e9, "modified now");
      equal(host.statIfAny(file), status);
      equal(host.statIfAny(`${file}/x`), undefined, "below a file");
      const fd = host.open(file, O_RDONLY);
      equal(host.statOpen(fd).ino, status.ino);
      equal(sys.chmod(file, 0o640), 0);
      equal(sys.settime(file, 1_500_000_000.5e9), 0);
      equal(host.statOpen(fd).mode, S_IFREG | 0o640);
      equal(host.statOpen(fd).mtimeNs, 1_500_000_000.5e9);
      host.removeFile(file);
      equal(host.statOpen(fd).nlink, 0, "links of a removed file");
      equal(host.decode(host.readAll(fd, 100, 1000)), "12345");
      host.close(fd);
      fails(sys.chmod(file, 0o600), "ENOENT");
      fails(sys.settime(file, 0), "ENOENT");
      equal(host.stat(directory).mode & S_IFMT, S_IFDIR);
    },
  },
  {
    name: "links: symbolic, hard, in circles",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      host.makeDirectories(`${directory}/folder`);
      host.writeFile(`${directory}/folder/file`, "text");
      equal(sys.symlink("folder", `${directory}/relative`), 0);
      equal(sys.symlink(`${directory}/folder/file`, `${directory}/absolute`), 0);
      equal(sys.symlink("nowhere", `${directory}/broken`), 0);
      equal(sys.symlink("circle", `${directory}/circle`), 0);
      equal(host.readLink(`${directory}/relative`), "folder");
      equal(host.readFile(`${directory}/relative/file`), "text");
      equal(host.readFile(`${directory}/relative/../absolute`), "text");
      throws(() => host.readFile(`${directory}/broken`), "ENOENT");
      throws(() => host.readFile(`${directory}/circle`), "ELOOP");
      throws(() => host.readLink(`${directory}/folder`), "EINVAL");
      throws(() => host.readLink(`${directory}/no`), "ENOENT");
      fails(sys.symlink("x", `${directory}/folder`), "EEXIST");
      equal(mode(sys.lstat(`${directory}/relative`)), 0o120000);
      equal(sys.link(`${directory}/folder/file`, `${directory}/hard`), 0);
      fails(sys.link(`${directory}/folder/file`, `${directory}/hard`), "EEXIST");
      fails(sys.link(`${directory}/folder`, `${directory}/no`), "EPERM");
      fails(sys.link(`${directory}/no`, `${directory}/no2`), "ENOENT");
      equal(host.stat(`${directory}/hard`).nlink, 2);
      equal(host.stat(`${directory}/hard`).ino, host.stat(`${directory}/folder/file`).ino);
      host.removeFile(`${directory}/relative`);
      equal(host.readFile(`${directory}/folder/file`), "text", "the target of a removed link");
    },
  },
  {
    name: "rename: over files and directories",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const at = (name: string) => `${directory}/${name}`;
      host.writeFile(at("a"), "a");
      host.writeFile(at("b"), "b");
      host.makeDirectories(at("empty"));
      host.makeDirectories(at("full/x"));
      equal(sys.rename(at("a"), at("b")), 0);
      equal(host.readFile(at("b")), "a");
      fails(sys.rename(at("a"), at("b")), "ENOENT");
      fails(sys.rename(at("b"), at("empty")), "EISDIR");
      fails(sys.rename(at("empty"), at("b")), "ENOTDIR");
      fails(sys.rename(at("empty"), at("full")), "ENOTEMPTY");
      fails(sys.rename(at("full"), at("full/x/y")), "EINVAL");
      equal(sys.rename(at("full"), at("empty")), 0);
      equal(sys.rename(at("b"), at("b")), 0, "onto itself");
      equal(host.readDirectory(directory).sort(), ["b", "empty"]);
    },
  },
  {
    name: "withLock: gives the result, unlocks after an exception, times out while another holds it",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const file = `${directory}/lock`;
      equal(
        host.withLock(file, LOCK_EX, 1000, () => "result"),
        "result",
      );
      throws(() => host.withLock(file, LOCK_EX, 1000, () => host.readFile(`${directory}/no`)), "ENOENT");
      const other = host.open(file, O_RDWR);
      equal(sys.flock(other, LOCK_EX, 0), 0, "lock that was let go");
      const start = host.clock(1);
      for (const operation of [LOCK_EX, LOCK_SH])
        throws(
          () => host.withLock(file, operation, 40, () => truthy(false, "holds the lock twice")),
          "ETIMEDOUT",
        );
      truthy(host.clock(1) - start >= 78e6, "waited twice 40 ms, less what rounding takes");
      equal(sys.flock(other, LOCK_SH, 0), 0);
      equal(
        host.withLock(file, LOCK_SH, 0, () => "shared"),
        "shared",
      );
      throws(() => host.withLock(file, LOCK_EX, 20, () => 0), "ETIMEDOUT");
      equal(sys.flock(other, LOCK_UN, 0), 0);
      equal(
        host.withLock(file, LOCK_EX, 0, () => "alone"),
        "alone",
      );
      host.close(other);
    },
  },
  {
    name: "a regular file takes any number of bytes at once",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const fd = host.open(`${directory}/file`, O_WRONLY | O_CREAT);
      equal(sys.write(fd, new Uint8Array(100_000), 0), 100_000);
      host.close(fd);
      equal(host.stat(`${directory}/file`).size, 100_000);
    },
  },
  {
    name: "a FIFO blocks nobody: not who opens it, not who reads, not who writes",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const fifo = `${directory}/fifo`;
      equal(host.run("/usr/bin/mkfifo", { argv: ["mkfifo", fifo], env: [], timeoutMs: 10_000 }).exitCode, 0);
      throws(() => host.open(fifo, O_WRONLY), "ENXIO");
      const reader = host.open(fifo, O_RDONLY);
      const start = host.clock(1);
      fails(sys.readall(reader, 100, 30), "ETIMEDOUT");
      fails(sys.read(reader, new Uint8Array(1), 30), "ETIMEDOUT");
      truthy(host.clock(1) - start >= 58e6, "waited twice 30 ms, less what rounding takes");
      const writer = host.open(fifo, O_WRONLY);
      const page = new Uint8Array(4096);
      let written = sys.write(writer, new Uint8Array(9000), 30);
      equal(written, 4096);
      for (let result = 0; result >= 0; written += Math.max(0, result)) {
        result = sys.write(writer, page, 30);
        if (result < 0) fails(result, "ETIMEDOUT", "writing to a full pipe");
      }
      truthy(written >= 4096, "the pipe holds a page");
      host.close(writer);
      equal(host.readAll(reader, written, 1000).length, written);
      host.close(reader);
    },
  },
  {
    name: "a value of the wrong type is a TypeError",
    level: "kernel",
    run({ host: { sys } }) {
      const wrong: (() => unknown)[] = [
        () => sys.close("3" as never),
        () => sys.stat(3 as never),
        () => sys.stat(undefined as never),
        () => sys.read(0, [] as never, 0),
        () => sys.random(new Uint16Array(4) as never),
        () => (sys.open as (fd: number) => number)(-1),
      ];
      for (const [index, call] of wrong.entries()) {
        let caught: unknown;
        try {
          call();
        } catch (error) {
          caught = error;
        }
        truthy(caught instanceof TypeError, `call ${index} throws TypeError`);
      }
    },
  },
  {
    name: "mount and umount",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const place = `${directory}/place`;
      fails(sys.mount("none", place, "tmpfs", 0), "ENOENT");
      host.makeDirectories(place);
      fails(sys.mount("none", place, "no-such-type", 0), "ENODEV");
      fails(sys.umount(place, 0), "EINVAL");
      equal(sys.mount("none", place, "tmpfs", 0), 0);
      host.writeFile(`${place}/hidden`, "");
      equal(sys.umount(place, 0), 0);
      equal(host.readDirectory(place), []);
    },
  },
];

function reading(host: Setting["host"], file: string, limit: number): number {
  const fd = host.open(file, O_RDONLY);
  try {
    return host.readAll(fd, limit, 1000).length;
  } finally {
    host.close(fd);
  }
}

function words(list: string | number): string[] {
  return typeof list === "number" ? [String(list)] : list.split("\0").slice(0, -1);
}

function mode(status: Uint8Array | number): number {
  return typeof status === "number"
    ? status
    : new DataView(status.buffer, status.byteOffset).getFloat64(0, true) & S_IFMT;
}
