import { errno } from "../host/errno.ts";
import { type Host, S_IFMT, S_IFREG } from "../host/host.ts";

/** What shells give for a command that is not there, and for one that cannot be run. */
export const EXIT_NOT_FOUND = 127;
export const EXIT_NOT_RUNNABLE = 126;

const EXECUTE_BITS = 0o111;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The file of a command: by PATH if it holds no slash. Undefined if there is none that could be executed. */
export function findProgram(host: Host, command: string): string | undefined {
  if (command.includes("/")) return command;
  const directories = (host.variable("PATH") ?? DEFAULT_PATH).split(":");
  return directories
    .map((directory) => `${directory || "."}/${command}`)
    .find((file) => {
      const mode = host.statIfAny(file)?.mode ?? 0;
      return (mode & S_IFMT) === S_IFREG && (mode & EXECUTE_BITS) !== 0;
    });
}

/** The exit code for a command that could not be started; undefined if the reason is another one. */
export function startFailureCode(error: number): number | undefined {
  switch (error) {
    case errno.ENOENT:
    case errno.ENOTDIR:
      return EXIT_NOT_FOUND;
    case errno.EACCES:
    case errno.ENOEXEC:
    case errno.EISDIR:
      return EXIT_NOT_RUNNABLE;
    default:
      return undefined;
  }
}
