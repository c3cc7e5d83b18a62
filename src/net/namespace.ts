import { errno, errnoName } from "../host/errno.ts";
import { type Host, isErrno, O_RDONLY, SysError } from "../host/host.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../netlink/message.ts";
import { NetlinkSocket } from "../netlink/socket.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";

const CLONE_NEWNET = 0x40000000;

/** An open network namespace. */
export class Namespace {
  readonly host: Host;
  /** Its descriptor; -1 for the process's own. */
  readonly fd: number;
  /** The path by which it was opened; "" for the process's own. */
  readonly path: string;
  #route: NetlinkSocket | undefined;
  #netfilter: NetlinkSocket | undefined;

  constructor(host: Host, fd = -1, path = "") {
    this.host = host;
    this.fd = fd;
    this.path = path;
  }

  /** The rtnetlink socket in this namespace, opened when it is first needed. */
  get route(): NetlinkSocket {
    this.#route ??= NetlinkSocket.open(this.host, this.fd, NETLINK_ROUTE);
    return this.#route;
  }

  /** The same for nftables. */
  get netfilter(): NetlinkSocket {
    this.#netfilter ??= NetlinkSocket.open(this.host, this.fd, NETLINK_NETFILTER);
    return this.#netfilter;
  }

  /** Closes the namespace and its sockets, for who goes through many. */
  close(): void {
    this.#route?.close();
    this.#netfilter?.close();
    this.host.close(this.fd);
  }
}

/**
 * Opens a network namespace by its path: /run/netns/NAME, /proc/PID/ns/net, /proc/PID/fd/N. Code 8 if it is none,
 * or if it is the process's own and that is not allowed: a container must have its own.
 */
export function openNamespace(host: Host, path: string, mayBeOwn = false): Namespace {
  if (path === "") throw unusable(path, "is empty");
  let fd: number;
  try {
    fd = host.open(path, O_RDONLY);
  } catch (error) {
    if (isErrno(error, errno.ENOENT, errno.ENOTDIR, errno.ESRCH)) throw unusable(path, "does not exist");
    if (!(error instanceof SysError)) throw error;
    throw unusable(path, `cannot be opened (${errnoName(error.errno)})`, error);
  }
  const problem = whatIsWrong(host, fd, mayBeOwn);
  if (problem === undefined) return new Namespace(host, fd, path);
  host.close(fd);
  throw unusable(path, problem);
}

/**
 * Whether a path leads to a network namespace, also to the process's own, or may do so: what cannot be opened for another
 * reason (rights, too many open files) is not taken for gone.
 */
export function mayBeNamespace(host: Host, path: string): boolean {
  try {
    openNamespace(host, path, true).close();
    return true;
  } catch (error) {
    if (error instanceof CniError && error.code === ErrorCode.InvalidNetns) return error.cause !== undefined;
    throw error;
  }
}

function whatIsWrong(host: Host, fd: number, mayBeOwn: boolean): string | undefined {
  if (host.sys.nstype(fd) !== CLONE_NEWNET) return "is not a network namespace";
  if (mayBeOwn) return undefined;
  const [it, own] = [host.statOpen(fd), host.stat("/proc/self/ns/net")];
  return it.ino === own.ino && it.dev === own.dev ? "is the namespace of the host (plugin's own)" : undefined;
}

function unusable(path: string, problem: string, cause?: SysError): CniError {
  return new CniError(
    ErrorCode.InvalidNetns,
    `CNI_NETNS ${JSON.stringify(path)} ${problem}`,
    "It must be the path of the container's network namespace, such as /run/netns/NAME or /proc/PID/ns/net.",
    { cause },
  );
}
