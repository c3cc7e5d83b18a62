import { errno } from "../host/errno.ts";
import { check, isErrno, LOCK_EX, LOCK_UN } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { Namespace } from "./namespace.ts";

/** Longer than a crowd of interfaces of one container takes. */
const TIMEOUT_MS = 60_000;

/**
 * Runs `work` while nobody else chooses routing tables in the namespace: flock(2) on the namespace itself, which the
 * reference does too. The lock goes with this process at the latest. Code 11 if it is not to be had.
 */
export function withNamespaceLock<T>({ host, fd, path }: Namespace, work: () => T): T {
  try {
    check("flock", host.sys.flock(fd, LOCK_EX, TIMEOUT_MS), path);
  } catch (error) {
    if (!isErrno(error, errno.ETIMEDOUT)) throw error;
    throw new CniError(
      ErrorCode.TryAgainLater,
      `${path} has been locked by another process for ${TIMEOUT_MS / 1000} s`,
      "Find out why it hangs; `lslocks` lists all locks.",
    );
  }
  try {
    return work();
  } finally {
    host.sys.flock(fd, LOCK_UN, 0);
  }
}
