import { errno } from "../host/errno.ts";
import { check, type Host, S_IFMT, SysError } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { openUnixSocket, PATH_LENGTH, unixAddress } from "./unix-socket.ts";

const S_IFSOCK = 0o140000;
/** The first descriptor that systemd passes on (sd_listen_fds(3)). */
const SD_LISTEN_FDS_START = 3;
/** The kernel keeps no longer queue than net.core.somaxconn. */
const BACKLOG = 4096;
const CONNECT_TIMEOUT_MS = 1_000;

export interface Listener {
  readonly fd: number;
  /** Removes the socket, if it is ours to remove. */
  close(): void;
}

/**
 * The socket that systemd passes on, or one of our own at `path`: for root alone, from the first moment that somebody
 * can connect to it. Throws CniError or SysError if that cannot be had, or another daemon has it.
 */
export function listen(host: Host, path: string): Listener {
  const passed = passedSocket(host);
  if (passed !== undefined) return { fd: passed, close: () => host.close(passed) };
  const directory = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  if (directory !== "") host.makeDirectories(directory, 0o700);
  checkVacant(host, path);
  const fd = bindAt(host, path);
  return {
    fd,
    close: () => {
      host.removeFile(path);
      host.close(fd);
    },
  };
}

function addressOf(host: Host, path: string): Uint8Array {
  const address = unixAddress(host, path);
  if (address !== undefined) return address;
  const length = host.encode(path).length;
  throw unusable(`the path of the socket has ${length} bytes: ${path}`, `The kernel takes ${PATH_LENGTH}.`);
}

/** What systemd tells in the environment: LISTEN_PID, LISTEN_FDS (sd_listen_fds(3)). */
function passedSocket(host: Host): number | undefined {
  if (host.variable("LISTEN_PID") !== String(host.sys.getpid())) return undefined;
  const count = host.variable("LISTEN_FDS") ?? "0";
  if (count === "0") return undefined;
  if (count !== "1") throw unusable(`systemd passes ${count} sockets on: one is expected`);
  if ((host.statOpen(SD_LISTEN_FDS_START).mode & S_IFMT) !== S_IFSOCK)
    throw unusable("what systemd passes on is no socket");
  return SD_LISTEN_FDS_START;
}

/** A socket that nobody listens at is left by a daemon that was killed. */
function checkVacant(host: Host, path: string): void {
  const address = addressOf(host, path);
  const status = host.statIfAny(path);
  if (status === undefined) return;
  if ((status.mode & S_IFMT) !== S_IFSOCK) throw unusable(`${path} is there already, and is no socket`);
  const fd = openUnixSocket(host);
  const connected = host.sys.connect(fd, address, CONNECT_TIMEOUT_MS);
  host.close(fd);
  if (connected === -errno.ECONNREFUSED || connected === -errno.ENOENT) return;
  throw unusable(
    `another daemon is running: it answers at ${path}`,
    "Stop it, or give this one a -socketpath of its own.",
  );
}

function bindAt(host: Host, path: string): number {
  // As long as the path itself, of which the kernel does not take more than it must.
  const draft = `${path.slice(0, -1)}~`;
  const fd = openUnixSocket(host);
  try {
    host.removeFile(draft);
    check("bind", host.sys.bind(fd, addressOf(host, draft)), draft);
    check("chmod", host.sys.chmod(draft, 0o600), draft);
    check("listen", host.sys.listen(fd, BACKLOG), draft);
    check("rename", host.sys.rename(draft, path), path);
    return fd;
  } catch (error) {
    host.close(fd);
    if (error instanceof SysError) host.sys.unlink(draft);
    throw error;
  }
}

function unusable(problem: string, details = ""): CniError {
  return new CniError(ErrorCode.InvalidEnvironment, problem, details);
}
