import { errno } from "./errno.ts";
import { FakeFiles, type FakeNode } from "./fake-files.ts";
import { sha512 } from "./fake-sha512.ts";
import { decodeUtf8, encodeUtf8 } from "./fake-text.ts";
import {
  CLOCK_REALTIME,
  Host,
  LOCK_EX,
  LOCK_UN,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  S_IFDIR,
  vector,
} from "./host.ts";
import type { Sys, Vector } from "./sys.ts";

const CLONE_NEWNET = 0x40000000;

/** What a scripted program is given, and gives. */
export interface FakeCall {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly stdin: string;
}
export interface FakeOutcome {
  readonly exitCode?: number;
  readonly signal?: number;
  readonly stdout?: string;
  readonly stderr?: string;
  /** How long it runs; past the caller's limit it is killed. */
  readonly takesMs?: number;
}

/** A socket as the script of `answer` sees it. `netns`: -1 or the descriptor of the namespace. */
export interface FakeSocket {
  readonly netns: number;
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
}

/** The process called `exit`. */
export class FakeExit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

interface Open {
  readonly flags: number;
  readonly node?: FakeNode;
  readonly socket?: FakeSocket;
  readonly queue: Uint8Array[];
  position: number;
}

/**
 * A machine in memory, for tests: `new FakeSystem().host` is the real Host over a faked table of calls.
 * Time passes only in waits. What needs a kernel (mount, start, accept) gives -ENOSYS.
 */
export class FakeSystem {
  /** Programs by path. `run` gives -ENOENT for others. */
  readonly programs = new Map<string, (call: FakeCall) => FakeOutcome>();
  /** The datagrams with which the far end of a socket answers one that was sent to it. */
  answer: (sent: Uint8Array, socket: FakeSocket) => readonly Uint8Array[] = () => [];
  env: string[] = [];
  argv: string[] = ["plumb"];
  pid = 4242;
  /** On all clocks. */
  nowNs = 1_700_000_000e9;
  stdin = "";
  stdout = "";
  stderr = "";
  readonly sys: Sys = this.#table();
  readonly host = new Host(this.sys);
  readonly #files = new FakeFiles(() => this.nowNs);
  readonly #locks = new Map<FakeNode, Map<number, number>>();
  readonly #open = new Map<number, Open>();
  #random = 1;

  #pass(ms: number): number {
    this.nowNs += Math.max(0, ms) * 1e6;
    return -errno.ETIMEDOUT;
  }

  #add(open: Partial<Open>, fd = 3): number {
    while (this.#open.has(fd)) fd++;
    this.#open.set(fd, { flags: 0, queue: [], position: 0, ...open });
    return fd;
  }

  /** The standard streams are there from the start. */
  #get(fd: number): Open | undefined {
    if (fd === 0 && !this.#open.has(0)) this.#add({ queue: [encodeUtf8(this.stdin)] }, 0);
    if (fd === 1 || fd === 2) return { flags: O_WRONLY, queue: [], position: 0 };
    return this.#open.get(fd);
  }

  #openFile(path: string, flags: number, mode: number): number {
    const node = this.#files.open(path, (flags & O_CREAT) !== 0, (flags & O_EXCL) !== 0, mode);
    if (typeof node === "number") return node;
    if (node.isDirectory && (flags & (3 | O_CREAT)) !== 0) return -errno.EISDIR;
    if (!node.isDirectory && flags & O_DIRECTORY) return -errno.ENOTDIR;
    if (node.isLink) return -errno.ELOOP;
    if (flags & O_TRUNC) node.data = new Uint8Array();
    return this.#add({ flags, node });
  }

  #take(open: Open, most: number): Uint8Array {
    if (!open.node) return open.queue.shift() ?? new Uint8Array();
    const part = open.node.data.slice(open.position, open.position + most);
    open.position += part.length;
    return part;
  }

  #put(open: Open, fd: number, data: Uint8Array): number {
    const { flags, node } = open;
    if ((flags & 3) === O_RDONLY) return -errno.EBADF;
    if (fd === 1) this.stdout += decodeUtf8(data);
    if (fd === 2) this.stderr += decodeUtf8(data);
    if (!node) return data.length;
    const at = flags & O_APPEND ? node.data.length : open.position;
    const whole = new Uint8Array(Math.max(node.data.length, at + data.length));
    whole.set(node.data);
    whole.set(data, at);
    node.data = whole;
    node.mtimeNs = node.ctimeNs = this.nowNs;
    open.position = at + data.length;
    return data.length;
  }

  #flock(fd: number, node: FakeNode, operation: number, timeoutMs: number): number {
    const held = this.#locks.get(node) ?? new Map<number, number>();
    this.#locks.set(node, held);
    if (operation === LOCK_UN) held.delete(fd);
    else {
      for (const [other, mode] of held)
        if (other !== fd && (mode === LOCK_EX || operation === LOCK_EX)) return this.#pass(timeoutMs);
      held.set(fd, operation);
    }
    return 0;
  }

  #run(path: string, call: FakeCall, captured: boolean, timeoutMs: number): Uint8Array | number {
    const program = this.programs.get(path);
    if (!program) {
      const node = this.#files.find(path, true);
      return typeof node === "number" ? node : -errno.EACCES;
    }
    const { exitCode = 0, signal = 0, stdout = "", stderr = "", takesMs = 0 } = program(call);
    if (takesMs > timeoutMs) return this.#pass(timeoutMs);
    this.#pass(takesMs);
    if (!captured) this.stderr += stderr;
    const output = encodeUtf8(stdout);
    const errors = encodeUtf8(captured ? stderr : "");
    const packed = new Uint8Array(8 + output.length + errors.length);
    new DataView(packed.buffer).setUint32(0, (exitCode << 8) | signal, true);
    new DataView(packed.buffer).setUint32(4, output.length, true);
    packed.set(output, 8);
    packed.set(errors, 8 + output.length);
    return packed;
  }

  #table(): Sys {
    const files = () => this.#files;
    const path = <T>(call: (...a: string[]) => T | number, ...paths: string[]) =>
      paths.some((text) => text.includes("\0")) ? -errno.EINVAL : call(...paths);
    const find = <T>(name: string, follow: boolean, use: (node: FakeNode) => T | number) =>
      path(() => {
        const node = files().find(name, follow);
        return typeof node === "number" ? node : use(node);
      }, name);
    const opened = <T>(fd: number, use: (open: Open) => T | number) => {
      const open = this.#get(fd);
      return open ? use(open) : -errno.EBADF;
    };
    const socket = <T>(fd: number, use: (open: Open, socket: FakeSocket) => T | number) =>
      opened(fd, (open) => (open.socket ? use(open, open.socket) : -errno.ENOTSOCK));
    const send = (fd: number, data: Uint8Array) =>
      socket(fd, ({ queue }, end) => {
        queue.push(...this.answer(data.slice(), end));
        return data.length;
      });
    const inNamespace = (fd: number, act: () => number) =>
      fd === -1 ? act() : opened(fd, ({ flags }) => (flags === CLONE_NEWNET ? act() : -errno.EINVAL));
    const close = (fd: number) =>
      opened(fd, ({ node }) => {
        if (node) this.#locks.get(node)?.delete(fd);
        this.#open.delete(fd);
        return 0;
      });
    const absent = () => -errno.ENOSYS;
    return {
      open: (netns, name, flags, mode) =>
        path(
          () =>
            inNamespace(netns, () =>
              // A namespace's own files: put them below /netns/DESCRIPTOR.
              this.#openFile(netns === -1 ? name : `/netns/${netns}${name}`, flags, mode),
            ),
          name,
        ),
      close,
      closelater: close,
      read: (fd, into) =>
        opened(fd, (open) => {
          if (open.node?.isDirectory) return -errno.EISDIR;
          if ((open.flags & 3) === O_WRONLY) return -errno.EBADF;
          const part = this.#take(open, into.length);
          into.set(part.subarray(0, into.length));
          if (part.length > into.length) open.queue.unshift(part.subarray(into.length));
          return Math.min(part.length, into.length);
        }),
      write: (fd, data) =>
        opened(fd, (open) => this.#put(open, fd, open.node ? data : data.subarray(0, 4096))),
      readall: (fd, limit) =>
        opened(fd, (open) => {
          if (open.node?.isDirectory) return -errno.EISDIR;
          if ((open.flags & 3) === O_WRONLY) return -errno.EBADF;
          const whole = this.#take(open, Number.POSITIVE_INFINITY);
          return whole.length > limit ? -errno.EFBIG : whole;
        }),
      flock: (fd, operation, timeoutMs) =>
        opened(fd, ({ node }) => (node ? this.#flock(fd, node, operation, timeoutMs) : -errno.EBADF)),
      stat: (name) => find(name, true, pack),
      lstat: (name) => find(name, false, pack),
      fstat: (fd) => opened(fd, ({ node }) => (node ? pack(node) : -errno.EBADF)),
      unlink: (name) => path(() => files().unlink(name), name),
      rename: (from, to) => path(() => files().rename(from, to), from, to),
      link: (from, to) => path(() => files().link(from, to), from, to),
      symlink: (target, name) => path(() => files().symlink(target, name), target, name),
      readlink: (name) => find(name, false, (node) => (node.isLink ? node.target : -errno.EINVAL)),
      mkdir: (name, mode) => path(() => files().mkdir(name, mode), name),
      rmdir: (name) => path(() => files().rmdir(name), name),
      chmod: (name, mode) =>
        find(name, true, (node) => {
          node.mode = (node.mode & ~0o7777) | mode;
          return 0;
        }),
      sha512: (data) => Uint8Array.from(sha512(data).match(/../g)!, (pair) => Number.parseInt(pair, 16)),
      settime: (name, mtimeNs) =>
        find(name, true, (node) => {
          node.mtimeNs = mtimeNs;
          return 0;
        }),
      readdir: (name) =>
        find<Vector>(name, true, (node) =>
          node.isDirectory ? vector([...node.entries.keys()]) : -errno.ENOTDIR,
        ),
      mount: (...names) => path(absent, ...names.slice(0, 3).map(String)),
      umount: (name) => path(absent, name),
      nstype: (fd) => opened(fd, ({ flags }) => (flags === CLONE_NEWNET ? CLONE_NEWNET : -errno.EINVAL)),
      newnetns: () => this.#add({ flags: CLONE_NEWNET }),
      run: (name, argv, env, stdin, flags, timeoutMs) =>
        path<Uint8Array>(() => {
          const call = { argv: words(argv), env: words(env), stdin: decodeUtf8(stdin) };
          return this.#run(name, call, (flags & 1) !== 0, timeoutMs);
        }, name),
      start: (_netns, name) => path(absent, name),
      wait: absent,
      kill: absent,
      signalfd: absent,
      socket: (netns, domain, type, protocol) =>
        inNamespace(netns, () => this.#add({ socket: { netns, domain, type, protocol } })),
      bind: (fd) => socket(fd, () => 0),
      connect: (fd) => socket(fd, () => 0),
      listen: absent,
      accept: absent,
      setsockopt: (fd) => socket(fd, () => 0),
      filter: (fd) => socket(fd, () => 0),
      ioctl: (fd) => opened(fd, () => -errno.ENOTTY),
      send,
      sendto: send,
      recv: (fd, into, timeoutMs) =>
        socket(fd, ({ queue }) => {
          const datagram = queue.shift();
          if (!datagram) return this.#pass(timeoutMs);
          into.set(datagram.subarray(0, into.length));
          return datagram.length > into.length ? -errno.EMSGSIZE : datagram.length;
        }),
      poll: (_fds, timeoutMs) => {
        this.#pass(timeoutMs);
        return 0;
      },
      random: (into) => {
        for (let at = 0; at < into.length; at++) {
          this.#random = (Math.imul(this.#random, 1103515245) + 12345) >>> 0;
          into[at] = this.#random >>> 16;
        }
        return into.length;
      },
      clock: (id) => (id >= CLOCK_REALTIME && id < 16 ? this.nowNs : -errno.EINVAL),
      environ: () => vector(this.env),
      variable: (name) =>
        this.env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? -errno.ENOENT,
      argv: () => vector(this.argv),
      isatty: () => 0,
      getpid: () => this.pid,
      geteuid: () => 0,
      openlimit: () => 1024,
      encode: encodeUtf8,
      decode: decodeUtf8,
      exit: (code) => {
        throw new FakeExit(code);
      },
    };
  }
}

function words(list: Vector): string[] {
  return list.split("\0").slice(0, -1);
}

/** As `Sys.stat` packs it. */
function pack(node: FakeNode): Uint8Array {
  const size = node.isLink ? node.target.length : node.data.length;
  const links = (node.mode & S_IFDIR) === S_IFDIR ? 2 : node.nlink;
  return new Uint8Array(
    Float64Array.of(node.mode, size, node.mtimeNs, node.ctimeNs, 1, node.ino, 0, 0, links, 0).buffer,
  );
}
