import { errno } from "../host/errno.ts";
import { SysError } from "../host/host.ts";
import { NetlinkError } from "../netlink/error.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";

/** Any thrown value as a CniError: what the system or the kernel refused gets a code and advice, the rest is 999. */
export function explain(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof NetlinkError)
    return new CniError(ErrorCode.Plugin, error.message, advice(error.errno), { cause: error });
  if (error instanceof SysError)
    return new CniError(ErrorCode.Io, error.message, advice(error.errno), { cause: error });
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new CniError(
    ErrorCode.Internal,
    message,
    "This is a fault of plumb itself: please report it with the stack that is on stderr.",
    {
      cause: error,
    },
  );
}

/** What to do about an error number; "" where its text says all. */
function advice(number: number): string {
  switch (number) {
    case errno.EPERM:
    case errno.EACCES:
      return "Run as root, or with the capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN.";
    case errno.ENOSPC:
    case errno.EDQUOT:
      return "The disk is full: make room, then try again.";
    case errno.EROFS:
      return "The file system is read-only: choose a directory that can be written.";
    case errno.EMFILE:
    case errno.ENFILE:
      return "Too many files are open: raise the limit (ulimit -n, fs.file-max).";
    case errno.EOPNOTSUPP:
      return "The kernel lacks this feature or its module.";
    case errno.ETIMEDOUT:
      return "It was waited for in vain: see what holds it.";
    default:
      return "";
  }
}
