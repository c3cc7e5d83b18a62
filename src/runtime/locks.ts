import { errno } from "../host/errno.ts";
import { CLOCK_MONOTONIC, check, type Host, LOCK_EX, LOCK_SH, O_CREAT, O_RDWR } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { Programs } from "./programs.ts";

/** What the locks need to know. */
export interface LockContext {
  readonly host: Host;
  readonly programs: Programs;
  /** The locks are in its folder plumb/locks, beside the results/ that other runtimes read. */
  readonly cacheDir: string;
  /** How long one waits for another operation. */
  readonly lockTimeoutMs: number;
}

const MAX_NAP_MS = 20;

/**
 * Does `work` while no other operation on the container and no GC runs (CNI specification, section
 * "Lifecycle & Ordering"). `what` says who we are to those who wait for us: `ADD of eth0 to net1`.
 * A CniError of code 11 names who holds the container for too long.
 */
export async function withContainer<T>(
  context: LockContext,
  containerId: string,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const folder = lockFolder(context);
  const queue = await acquire(context, `${folder}/queue`, LOCK_SH);
  const gc = await acquire(context, `${folder}/gc`, LOCK_SH).finally(() => context.host.close(queue));
  try {
    const path = `${folder}/containers/${containerId}`;
    const fd = await acquire(context, path, LOCK_EX);
    try {
      signLock(context.host, path, what);
      return await work();
    } finally {
      // While it is still locked: who waits for it will see that it is gone, and make a new one.
      context.host.removeFile(path);
      context.host.close(fd);
    }
  } finally {
    context.host.close(gc);
  }
}

/** Does `work` while no operation on any container runs. Who comes later waits in the queue. */
export async function withAllContainers<T>(
  context: LockContext,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const folder = lockFolder(context);
  const queue = await acquire(context, `${folder}/queue`, LOCK_EX);
  try {
    signLock(context.host, `${folder}/queue`, what);
    const gc = await acquire(context, `${folder}/gc`, LOCK_EX);
    return await work().finally(() => context.host.close(gc));
  } finally {
    context.host.close(queue);
  }
}

function lockFolder({ host, cacheDir }: LockContext): string {
  const folder = `${cacheDir}/plumb/locks`;
  host.makeDirectories(`${folder}/containers`, 0o700);
  return folder;
}

/** The descriptor that holds the lock. The lock ends with it, also when the process dies. */
async function acquire(context: LockContext, path: string, operation: number): Promise<number> {
  const { host, programs, lockTimeoutMs } = context;
  const deadline = nowMs(host) + lockTimeoutMs;
  for (let nap = 1; ; nap = Math.min(nap * 2, MAX_NAP_MS)) {
    const fd = host.open(path, O_RDWR | O_CREAT, 0o600);
    const result = host.sys.flock(fd, operation, 0);
    if (result === 0 && host.statIfAny(path)?.ino === host.statOpen(fd).ino) return fd;
    host.close(fd);
    if (result === 0) continue; // its holder removed the file meanwhile
    if (result !== -errno.ETIMEDOUT) check("flock", result, path);
    if (nowMs(host) >= deadline) throw busy(context, path);
    await programs.sleep(nap);
  }
}

function signLock(host: Host, path: string, what: string): void {
  host.writeFile(path, `process ${host.sys.getpid()}: ${what}`, 0o600);
}

function busy({ host, cacheDir, lockTimeoutMs }: LockContext, path: string): CniError {
  const containers = `${cacheDir}/plumb/locks/containers`;
  // The lock "gc" is shared by those who have a container each.
  const files = path.endsWith("/gc")
    ? host.readDirectory(containers).map((name) => `${containers}/${name}`)
    : [path];
  const holders = files.map((file) => host.readFileIfAny(file) ?? "").filter((text) => text !== "");
  return new CniError(
    ErrorCode.TryAgainLater,
    `another operation did not end within ${lockTimeoutMs} ms`,
    `${path} is held by ${holders.join("; ") || "a process that did not sign it"}`,
  );
}

function nowMs(host: Host): number {
  return host.clock(CLOCK_MONOTONIC) / 1e6;
}
