/**
 * The table of system calls as native/sys.c exports it. A call gives its result, or a negative errno.
 * Paths may not hold a NUL (-EINVAL). No call waits for ever: those that can wait take milliseconds
 * and give -ETIMEDOUT when they are over.
 *
 * `Vector` is a list of strings, each closed by a NUL. `nsFd` names the network namespace in which the
 * call is made: a descriptor, or -1 for the process's own, which never changes.
 */
export interface Sys {
  // Files
  open(nsFd: number, path: string, flags: number, mode: number): number;
  close(fd: number): number;
  /** Closes it in a moment, in a thread of its own: for packet sockets, whose end takes 10 ms. */
  closelater(fd: number): number;
  read(fd: number, into: Uint8Array, timeoutMs: number): number;
  /** Writes at most one page, so that a pipe that reported room cannot block; into a regular file, all at once. */
  write(fd: number, data: Uint8Array, timeoutMs: number): number;
  /** All bytes until the end of file; -EFBIG past `limit`. */
  readall(fd: number, limit: number, timeoutMs: number): Uint8Array | number;
  flock(fd: number, operation: number, timeoutMs: number): number;
  /** Ten float64, exact but for nanoseconds: mode, size, mtime ns, ctime ns, dev, ino, uid, gid, nlink, rdev. */
  stat(path: string): Uint8Array | number;
  lstat(path: string): Uint8Array | number;
  fstat(fd: number): Uint8Array | number;
  unlink(path: string): number;
  rename(from: string, to: string): number;
  link(from: string, to: string): number;
  symlink(target: string, path: string): number;
  readlink(path: string): string | number;
  mkdir(path: string, mode: number): number;
  rmdir(path: string): number;
  chmod(path: string, mode: number): number;
  /** Sets the time of the last modification, in nanoseconds since the epoch. */
  settime(path: string, mtimeNs: number): number;
  readdir(path: string): Vector | number;
  mount(source: string, target: string, type: string, flags: number): number;
  umount(target: string, flags: number): number;

  // Namespaces
  /** The CLONE_NEW* flag of the namespace behind `fd`; -EINVAL if it is none. */
  nstype(fd: number): number;
  /** A descriptor of a new network namespace. */
  newnetns(): number;

  // Processes
  /** Runs a program to its end. Result: u32 wait status, u32 length of stdout, stdout, stderr (if captured). */
  run(
    path: string,
    argv: Vector,
    env: Vector,
    stdin: Uint8Array,
    flags: number,
    timeoutMs: number,
    interruptFd: number,
  ): Uint8Array | number;
  /** Starts a program on our standard streams; gives its pid. `binds`: pairs target, source mounted for it alone. */
  start(nsFd: number, path: string, argv: Vector, env: Vector, binds: Vector): number;
  /** The wait status of a child. */
  wait(pid: number, timeoutMs: number): number;
  kill(pid: number, signal: number): number;
  /** Holds back the signals of `mask` (bit n-1 for signal n) and gives a descriptor to read them from. */
  signalfd(mask: number): number;

  // Sockets and descriptors
  socket(nsFd: number, domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array, timeoutMs: number): number;
  listen(fd: number, backlog: number): number;
  accept(fd: number, timeoutMs: number): number;
  /** Attaches a classic BPF program: it chooses what the socket receives. `program`: an array of struct sock_filter. */
  filter(fd: number, program: Uint8Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  /** `struct`, at most 256 bytes, is what the request reads and writes; if it is empty, `number` is its argument. */
  ioctl(fd: number, request: number, number: number, struct: Uint8Array): number;
  send(fd: number, data: Uint8Array, timeoutMs: number): number;
  sendto(fd: number, data: Uint8Array, address: Uint8Array, timeoutMs: number): number;
  /** One datagram; -EMSGSIZE if it is longer than `into`. */
  recv(fd: number, into: Uint8Array, timeoutMs: number): number;
  /** `fds`: an array of struct pollfd. */
  poll(fds: Uint8Array, timeoutMs: number): number;

  // The process and its surroundings
  random(into: Uint8Array): number;
  /** CLOCK_* in nanoseconds. */
  clock(id: number): number;
  environ(): Vector;
  /** The value of an environment variable; -ENOENT. */
  variable(name: string): string | number;
  argv(): Vector;
  isatty(fd: number): number;
  getpid(): number;
  geteuid(): number;
  /** Raises the number of descriptors that the process may have open as far as it may itself; gives it. */
  openlimit(): number;
  /** The digest (FIPS 180-4), 64 bytes. No system call, but fifty times faster here than in the engine. */
  sha512(data: Uint8Array): Uint8Array;
  encode(text: string): Uint8Array;
  decode(utf8: Uint8Array): string;
  exit(code: number): never;
}

/** Strings, each closed by a NUL. */
export type Vector = string;
