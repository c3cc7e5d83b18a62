import { errno, errnoName } from "../host/errno.ts";
import { type Host, O_APPEND, O_CREAT, O_WRONLY, S_IFMT, S_IFREG, SysError } from "../host/host.ts";
import { lineBytes } from "./one-line.ts";

/** Root's, and readable for a group that collects logs. */
const MODE = 0o640;

/**
 * Appends a line to a file, with what is missing of it and of its folders made. It is opened for this line alone, so that
 * it may be rotated at any time, and written at once, so that lines of several processes stay whole. Neither waits for
 * anything nor throws: gives what went wrong, in words.
 */
export function appendLine(host: Host, path: string, line: string): string | undefined {
  const { sys } = host;
  const open = () => sys.open(-1, path, O_WRONLY | O_APPEND | O_CREAT, MODE);
  let fd = open();
  if (fd === -errno.ENOENT) {
    const problem = makeFolder(host, path);
    if (problem !== undefined) return problem;
    fd = open();
  }
  if (fd < 0) return `open ${path}: ${errnoName(-fd)}${fd === -errno.ENXIO ? " (nobody reads it)" : ""}`;
  const whole = isRegular(host, fd) ? Number.POSITIVE_INFINITY : undefined;
  const bytes = lineBytes(host, line, whole);
  const written = sys.write(fd, bytes, 0);
  sys.close(fd);
  if (written < 0) return `write ${path}: ${errnoName(-written)}`;
  return written < bytes.length ? `write ${path}: ${written} of ${bytes.length} bytes` : undefined;
}

function makeFolder(host: Host, path: string): string | undefined {
  try {
    host.makeDirectories(path.slice(0, path.lastIndexOf("/")));
    return undefined;
  } catch (error) {
    if (error instanceof SysError) return error.message;
    throw error;
  }
}

function isRegular(host: Host, fd: number): boolean {
  return (host.statOpen(fd).mode & S_IFMT) === S_IFREG;
}
