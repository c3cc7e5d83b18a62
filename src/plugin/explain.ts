import { errno } from "../host/errno.ts";
import { SysError } from "../host/host.ts";
import { NetlinkError } from "../netlink/error.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";

const RUN_AS_ROOT = "Run as root, or with the capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN.";

/** Any thrown value as a CniError: what the system or the kernel refused gets a code and advice, the rest is 999. */
export function explain(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const cause = { cause: error };
  if (error instanceof NetlinkError)
    return new CniError(ErrorCode.Plugin, error.message, kernelAdvice(error.errno), cause);
  if (error instanceof SysError)
    return new CniError(ErrorCode.Io, error.message, systemAdvice(error.errno), cause);
  return new CniError(
    ErrorCode.Internal,
    error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    `This is a fault of plumb itself: please report it with this stack: ${framesOf(rootOf(error))}`,
    cause,
  );
}

/** Where an error was made, innermost first: `add (plugins/x.ts:3:15) < call (plugin/run.ts:80:3)`. */
function framesOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return [...stack.matchAll(/^\s*at (.*)$/gm)].map(([, frame]) => frame).join(" < ") || "none";
}

/** The error that was there first, below those that were made of it. */
export function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root;
}

/** What to do about the error number of a request to the kernel; "" where its text says all. */
function kernelAdvice(number: number): string {
  switch (number) {
    case errno.EPERM:
    case errno.EACCES:
      return RUN_AS_ROOT;
    case errno.EOPNOTSUPP:
      return "The kernel lacks this feature or its module.";
    default:
      return "";
  }
}

/** The same for a system call. */
function systemAdvice(number: number): string {
  switch (number) {
    case errno.EPERM:
    case errno.EACCES:
      return RUN_AS_ROOT;
    case errno.ENOENT:
    case errno.ENOTDIR:
      return "There is no such file or directory.";
    case errno.ENOSPC:
    case errno.EDQUOT:
      return "The disk is full: make room, then try again.";
    case errno.EROFS:
      return "The file system is read-only: choose a directory that can be written.";
    case errno.EMFILE:
    case errno.ENFILE:
      return "Too many files are open: raise the limit (ulimit -n, fs.file-max).";
    case errno.EPIPE:
      return "Who was to read it is gone.";
    case errno.EFBIG:
      return "It is larger than anything that makes sense here.";
    case errno.ETIMEDOUT:
      return "It was waited for in vain: see what holds it.";
    case errno.EOPNOTSUPP:
    case errno.EPROTONOSUPPORT:
    case errno.EAFNOSUPPORT:
      return "The kernel lacks this feature or its module.";
    default:
      return "";
  }
}
