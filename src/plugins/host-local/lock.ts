import { errno } from "../../host/errno.ts";
import { check, type Host, isErrno, LOCK_EX, O_CREAT, O_RDWR } from "../../host/host.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";

/** Longer than a crowd of others takes, shorter than runtimes wait for us. */
const TIMEOUT_MS = 60_000;

const MODE = 0o600;

/** Opens the lock of a directory; undefined if there is no such directory. */
export function openLock(host: Host, directory: string): number | undefined {
  const path = `${directory}/lock`;
  const fd = host.sys.open(-1, path, O_RDWR | O_CREAT, MODE);
  return fd === -errno.ENOENT ? undefined : check("open", fd, path);
}

/** Locks with flock(2), as the reference does, while `work` runs; closes `lock`. Code 11 if it is not to be had. */
export function locked<T>(host: Host, lock: number, directory: string, work: () => T): T {
  try {
    check("flock", host.sys.flock(lock, LOCK_EX, TIMEOUT_MS), `${directory}/lock`);
    return work();
  } catch (error) {
    if (isErrno(error, errno.ETIMEDOUT) && error.call === "flock") throw timedOut(host, lock, directory);
    throw error;
  } finally {
    host.close(lock);
  }
}

function timedOut(host: Host, lock: number, directory: string): CniError {
  const pid = holder(host, host.statOpen(lock).ino);
  const who = pid === undefined ? "another process" : `process ${pid} (ps -fp ${pid})`;
  return new CniError(
    ErrorCode.TryAgainLater,
    `${directory}/lock has been held by ${who} for ${TIMEOUT_MS / 1000} s`,
    "Every ADD and DEL of the network waits for it. Find out why it hangs; `lslocks` lists all locks.",
  );
}

/** The process that has the lock on an inode, from lines as "1: FLOCK  ADVISORY  WRITE 4242 fe:00:1311 0 EOF". */
function holder(host: Host, inode: number): string | undefined {
  const locks = host.readFileIfAny("/proc/locks") ?? "";
  return new RegExp(`FLOCK .* (\\d+) [0-9a-f:]+:${inode} `).exec(locks)?.[1];
}
