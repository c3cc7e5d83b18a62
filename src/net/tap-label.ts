import { errno, errnoName } from "../host/errno.ts";
import { check, type Host, isErrno, O_WRONLY, SysError, vector } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { nameTaken } from "./name-taken.ts";
import type { Namespace } from "./namespace.ts";
import { createTap, type TapWish } from "./tap.ts";

/**
 * Tap devices under SELinux. The kernel labels a device after the process that makes it, and a process gets another
 * label by executing a program: so this one is executed once more, under the name plumb-tap, with the wish as argument.
 */

const ENABLED = "/sys/fs/selinux/enforce";
/** proc_pid_attr(5): the label that the next program gets. */
const NEXT_LABEL = "/proc/thread-self/attr/exec";
const TIMEOUT_MS = 10_000;
/** An exit code for what has no error number. */
const FAULT = 255;

/** As `createTap`, in a process with this SELinux context. Code 100 if the host has no SELinux or refuses it. */
export function createLabelledTap({ host, fd }: Namespace, context: string, wish: TapWish): void {
  requireSelinux(host, context);
  const code = inContext(host, context, () => {
    const argv = vector(["plumb-tap", JSON.stringify(wish)]);
    const pid = check("exec", host.sys.start(fd, "/proc/self/exe", argv, host.sys.environ(), ""), context);
    const status = check("wait", host.sys.wait(pid, TIMEOUT_MS));
    // Ended by a signal, or with an exit code.
    return status & 0x7f ? FAULT : status >> 8;
  });
  if (code === errno.EBUSY) throw nameTaken(wish.name);
  if (code !== 0) throw refused(context, code);
}

/** Code 100 if there is no SELinux that could give the context. */
export function requireSelinux(host: Host, context: string): void {
  if (host.statIfAny(ENABLED) !== undefined) return;
  throw new CniError(
    ErrorCode.Plugin,
    `selinuxContext ${JSON.stringify(context)} cannot be set: the host has no SELinux`,
    `There is no ${ENABLED}. Leave "selinuxContext" out, or enable SELinux.`,
  );
}

function inContext<T>(host: Host, context: string, work: () => T): T {
  const fd = host.open(NEXT_LABEL, O_WRONLY);
  try {
    host.write(fd, host.encode(context), NEXT_LABEL);
    try {
      return work();
    } finally {
      // Nothing: an IPAM plugin that is run later keeps our own.
      check("write", host.sys.write(fd, new Uint8Array(), TIMEOUT_MS), NEXT_LABEL);
    }
  } catch (error) {
    // EINVAL: no such context; EACCES: the policy does not let us.
    if (isErrno(error, errno.EINVAL, errno.EACCES, errno.EPERM)) throw refused(context, error.errno);
    throw error;
  } finally {
    host.close(fd);
  }
}

function refused(context: string, code: number): CniError {
  return new CniError(
    ErrorCode.Plugin,
    `cannot make a tap device with selinuxContext ${JSON.stringify(context)}: ${errnoName(code)}`,
    "SELinux must know the context, and its policy let it be entered, run plumb and use /dev/net/tun.",
  );
}

/** What plumb does as `plumb-tap`, in the namespace that it is started in. Gives the exit code: an error number, or 0. */
export function main(host: Host, [wish = "{}"]: readonly string[]): number {
  try {
    createTap(host, -1, JSON.parse(wish) as TapWish);
    return 0;
  } catch (error) {
    if (error instanceof SysError) return error.errno;
    return error instanceof CniError && error.code === ErrorCode.InvalidEnvironment ? errno.EBUSY : FAULT;
  }
}
