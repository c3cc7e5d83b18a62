import { errno } from "../host/errno.ts";
import { check, isErrno, LOCK_EX, O_RDONLY } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { Namespace } from "./namespace.ts";

/** Longer than a crowd of interfaces, or containers, takes. */
const TIMEOUT_MS = 60_000;
const OWN = "/proc/self/ns/net";

/**
 * Runs `work` while nobody else of us chooses routing tables or changes iptables in the namespace: flock(2) on the
 * namespace itself, as the reference's sbr does. The lock goes with this process at the latest. Code 11 if it is not to
 * be had.
 */
export function withNamespaceLock<T>({ host, fd, path }: Namespace, work: () => T): T {
  const lock = host.open(fd === -1 ? OWN : `/proc/self/fd/${fd}`, O_RDONLY);
  try {
    check("flock", host.sys.flock(lock, LOCK_EX, TIMEOUT_MS), path || OWN);
    return work();
  } catch (error) {
    if (!isErrno(error, errno.ETIMEDOUT) || error.call !== "flock") throw error;
    throw new CniError(
      ErrorCode.TryAgainLater,
      `${path || OWN} has been locked by another process for ${TIMEOUT_MS / 1000} s`,
      "Find out why it hangs; `lslocks` lists all locks.",
    );
  } finally {
    host.close(lock);
  }
}
