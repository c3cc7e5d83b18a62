import { errno, errnoName } from "./errno.ts";
import type { Sys } from "./sys.ts";

/** A system call that the kernel refused. `errno` is positive, `subject` the path or object it was about. */
export class SysError extends Error {
  readonly call: string;
  readonly errno: number;
  readonly subject: string;

  constructor(call: string, errno: number, subject = "") {
    super(`${call}${subject && ` ${subject}`}: ${errnoName(errno)}`);
    this.name = "SysError";
    this.call = call;
    this.errno = errno;
    this.subject = subject;
  }
}

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_DIRECTORY = 0o200000;

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;

/** What stat(2) tells of a file. Times in nanoseconds since the epoch. */
export interface FileStatus {
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: number;
  readonly ctimeNs: number;
  readonly dev: number;
  readonly ino: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly rdev: number;
}

export interface RunOptions {
  readonly argv: readonly string[];
  /** `NAME=value` entries; the child's whole environment. */
  readonly env: readonly string[];
  readonly stdin?: Uint8Array;
  /** The child and its process group are killed after this time. */
  readonly timeoutMs: number;
  /** Keep stderr apart and give it back; otherwise the child writes to ours. */
  readonly captureStderr?: boolean;
  /** When there is something to read from this descriptor, they are killed at once. */
  readonly interrupt?: number;
}

export interface RunResult {
  /** Exit code, or -1 when a signal ended the process. */
  readonly exitCode: number;
  /** The signal that ended it, or 0. */
  readonly signal: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_UN = 8;

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;

/** A regular file larger than this is not a configuration: refusing it protects memory. */
const FILE_LIMIT = 16 << 20;
const FILE_TIMEOUT_MS = 30_000;

/**
 * Everything outside this code: files, locks, processes, sockets, clock, random, standard streams.
 * Each method throws SysError unless it says otherwise; none waits longer than it was told.
 */
export class Host {
  /** The calls as they are, for who handles the error numbers himself. */
  readonly sys: Sys;

  constructor(sys: Sys) {
    this.sys = sys;
  }

  /** Opens a file; always close-on-exec and never blocking on a FIFO. */
  open(path: string, flags: number, mode = 0o644): number {
    return check("open", this.sys.open(-1, path, flags, mode), path);
  }

  /** Opens a file as seen from the network namespace `nsFd`: what is below /proc/sys/net depends on who opens it. */
  openIn(nsFd: number, path: string, flags: number): number {
    return check("open", this.sys.open(nsFd, path, flags, 0), path);
  }

  close(fd: number): void {
    check("close", this.sys.close(fd));
  }

  /** The whole of a file as text (UTF-8). */
  readFile(path: string): string {
    return this.#readAndClose(this.open(path, O_RDONLY), path);
  }

  /** As `readFile`; undefined if there is no such file. */
  readFileIfAny(path: string): string | undefined {
    const fd = this.sys.open(-1, path, O_RDONLY, 0);
    return fd === -errno.ENOENT ? undefined : this.#readAndClose(check("open", fd, path), path);
  }

  #readAndClose(fd: number, path: string): string {
    try {
      return this.sys.decode(this.readAll(fd, FILE_LIMIT, FILE_TIMEOUT_MS, path));
    } finally {
      this.sys.close(fd);
    }
  }

  /** Everything until the end of `fd`. ETIMEDOUT when it does not end in time, EFBIG past `limit` bytes. */
  readAll(fd: number, limit: number, timeoutMs: number, subject = `descriptor ${fd}`): Uint8Array {
    return check("read", this.sys.readall(fd, limit, timeoutMs), subject);
  }

  write(fd: number, data: Uint8Array, subject = `descriptor ${fd}`): void {
    for (let at = 0; at < data.length; )
      at += check("write", this.sys.write(fd, data.subarray(at), FILE_TIMEOUT_MS), subject);
  }

  /** Creates or overwrites a file in place. A reader may see a part of it: see `replaceFile`. */
  writeFile(path: string, text: string, mode = 0o644): void {
    const fd = this.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    try {
      this.write(fd, this.sys.encode(text), path);
    } finally {
      this.sys.close(fd);
    }
  }

  /**
   * Creates or replaces a file in one step: a reader sees the old or the new text, never a part. `draft` is its name
   * until then; who is killed meanwhile leaves it.
   */
  replaceFile(path: string, text: string, mode = 0o644, draft = `${path}.${this.sys.getpid()}.tmp`): void {
    try {
      this.writeFile(draft, text, mode);
      check("rename", this.sys.rename(draft, path), path);
    } catch (error) {
      this.sys.unlink(draft);
      throw error;
    }
  }

  /** False if it was not there. */
  removeFile(path: string): boolean {
    const result = this.sys.unlink(path);
    if (result === -errno.ENOENT) return false;
    check("unlink", result, path);
    return true;
  }

  readDirectory(path: string): string[] {
    return words(check("readdir", this.sys.readdir(path), path));
  }

  /** Makes a directory and those above it; one that is there already is fine. */
  makeDirectories(path: string, mode = 0o755): void {
    const result = this.sys.mkdir(path, mode);
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (result === -errno.EEXIST) return;
    if (result !== -errno.ENOENT || parent === "") {
      check("mkdir", result, path);
      return;
    }
    this.makeDirectories(parent, mode);
    const again = this.sys.mkdir(path, mode);
    if (again !== -errno.EEXIST) check("mkdir", again, path);
  }

  stat(path: string): FileStatus {
    return unpackStatus(check("stat", this.sys.stat(path), path));
  }

  statIfAny(path: string): FileStatus | undefined {
    const result = this.sys.stat(path);
    return result === -errno.ENOENT || result === -errno.ENOTDIR
      ? undefined
      : unpackStatus(check("stat", result, path));
  }

  /** The status of an open file. */
  statOpen(fd: number): FileStatus {
    return unpackStatus(check("fstat", this.sys.fstat(fd)));
  }

  readLink(path: string): string {
    return check("readlink", this.sys.readlink(path), path);
  }

  /** Locks with flock(2) for as long as `work` runs. ETIMEDOUT when somebody else holds it that long. */
  withLock<T>(path: string, operation: number, timeoutMs: number, work: () => T): T {
    const fd = this.open(path, O_RDWR | O_CREAT, 0o600);
    try {
      check("flock", this.sys.flock(fd, operation, timeoutMs), path);
      return work();
    } finally {
      this.sys.close(fd);
    }
  }

  /** Runs a program to its end. ETIMEDOUT when it took too long, ECANCELED when interrupted; it is dead then. */
  run(path: string, options: RunOptions): RunResult {
    const { argv, env, stdin = new Uint8Array(), timeoutMs, captureStderr = false, interrupt = -1 } = options;
    const packed = check(
      "run",
      this.sys.run(path, vector(argv), vector(env), stdin, captureStderr ? 1 : 0, timeoutMs, interrupt),
      path,
    );
    const status = packed[0]! | (packed[1]! << 8);
    const stdoutLength = new DataView(packed.buffer, packed.byteOffset).getUint32(4, true);
    const signal = status & 0x7f;
    return {
      exitCode: signal === 0 ? status >> 8 : -1,
      signal,
      stdout: this.sys.decode(packed.subarray(8, 8 + stdoutLength)),
      stderr: this.sys.decode(packed.subarray(8 + stdoutLength)),
    };
  }

  /** The value of an environment variable, undefined if it is not set (set but empty gives ""). */
  variable(name: string): string | undefined {
    const value = this.sys.variable(name);
    return typeof value === "string" ? value : undefined;
  }

  /** The environment as `NAME=value` entries. */
  environment(): string[] {
    return words(this.sys.environ());
  }

  argv(): string[] {
    return words(this.sys.argv());
  }

  /** Nanoseconds on CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME. */
  clock(id: number): number {
    return check("clock_gettime", this.sys.clock(id));
  }

  random(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    check("getrandom", this.sys.random(bytes));
    return bytes;
  }

  sleep(ms: number): void {
    this.sys.poll(new Uint8Array(), ms);
  }

  /** The first hexadecimal digits of the SHA-512 of a text's UTF-8; `count` is even, 128 are all. */
  sha512(text: string, count = 128): string {
    const digest = this.sys.sha512(this.sys.encode(text));
    let digits = "";
    for (let i = 0; i < count / 2; i++) digits += (digest[i]! + 256).toString(16).slice(1);
    return digits;
  }

  /** UTF-8. */
  encode(text: string): Uint8Array {
    return this.sys.encode(text);
  }

  /** UTF-8; what is not becomes U+FFFD. */
  decode(utf8: Uint8Array): string {
    return this.sys.decode(utf8);
  }

  stdout(text: string): void {
    this.write(1, this.sys.encode(text), "stdout");
  }

  stderr(text: string): void {
    this.write(2, this.sys.encode(text), "stderr");
  }

  exit(code: number): never {
    return this.sys.exit(code);
  }
}

/** Passes a result through; throws SysError for a negative errno. */
export function check<T>(call: string, result: T | number, subject = ""): T {
  if (typeof result === "number" && result < 0) throw new SysError(call, -result, subject);
  return result as T;
}

export function isErrno(error: unknown, ...numbers: number[]): error is SysError {
  return error instanceof SysError && numbers.includes(error.errno);
}

/** Strings as the system calls take them. EINVAL if one holds a NUL, which would make it two. */
export function vector(strings: readonly string[]): string {
  let text = "";
  for (const string of strings) {
    if (string.includes("\0")) throw new SysError("exec", errno.EINVAL, JSON.stringify(string));
    text += `${string}\0`;
  }
  return text;
}

function words(text: string): string[] {
  return text === "" ? [] : text.slice(0, -1).split("\0");
}

function unpackStatus({ buffer, byteOffset }: Uint8Array): FileStatus {
  const [mode, size, mtimeNs, ctimeNs, dev, ino, uid, gid, nlink, rdev] = new Float64Array(
    buffer,
    byteOffset,
    10,
  );
  return {
    mode: mode!,
    size: size!,
    mtimeNs: mtimeNs!,
    ctimeNs: ctimeNs!,
    dev: dev!,
    ino: ino!,
    uid: uid!,
    gid: gid!,
    nlink: nlink!,
    rdev: rdev!,
  };
}
