import { errno } from "../host/errno.ts";
import { type Host, S_IFMT, S_IFREG, SysError } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, member, show } from "../spec/json.ts";
import { toldByUs } from "./errors-to.ts";
import { LIMIT_ADVICE, waitLimit } from "./limit.ts";

/** How long "text file busy" (a plugin being replaced) is retried. */
const BUSY_ATTEMPTS = 5;
const BUSY_PAUSE_MS = 200;

/** DHCP asks for three and a half minutes before it gives up. */
const TIMEOUT_MS = 240_000;

/** The directories of a CNI_PATH. */
export function splitPath(path: string): string[] {
  return path.split(":").filter((directory) => directory !== "");
}

/** The first regular file of that name in the directories of CNI_PATH; undefined if there is none. */
export function findExecutable(host: Host, type: string, path: readonly string[]): string | undefined {
  for (const directory of path) {
    const file = `${directory}/${type}`;
    if (directory !== "" && isRegularFile(host, file)) return file;
  }
  return undefined;
}

function isRegularFile(host: Host, file: string): boolean {
  try {
    const status = host.statIfAny(file);
    return status !== undefined && (status.mode & S_IFMT) === S_IFREG;
  } catch (error) {
    // A directory that cannot be searched: the next one may have it.
    if (error instanceof SysError) return false;
    throw error;
  }
}

/** Whether a file is the program that runs now. */
export function isOurself(host: Host, file: string): boolean {
  const [other, own] = [host.stat(file), host.statIfAny("/proc/self/exe")];
  return other.ino === own?.ino && other.dev === own.dev;
}

export interface PluginCall {
  readonly type: string;
  readonly file: string;
  readonly command: string;
  /** The configuration, as JSON. */
  readonly stdin: string;
}

/**
 * Runs a plugin in our own environment, as the specification says (section 4), and gives what it printed on stdout. Its
 * error object becomes a CniError; one without has code 100, 11 if it took too long, 5 if it could not be run.
 */
export function execPlugin(host: Host, { type, file, command, stdin }: PluginCall): string {
  const env = host.environment().filter((entry) => !/^(CNI_COMMAND|PLUMB_ERRORS_TO)=/.test(entry));
  const { exitCode, signal, stdout } = runPatiently(host, type, file, {
    argv: [file],
    env: [...env, `CNI_COMMAND=${command}`, toldByUs(host)],
    stdin: host.encode(stdin),
    timeoutMs: waitLimit(host, TIMEOUT_MS),
  });
  if (exitCode === 0) return stdout;
  const ended = signal !== 0 ? `was ended by signal ${signal}` : `ended with exit code ${exitCode}`;
  throw (
    printedError(stdout) ??
    new CniError(
      ErrorCode.Plugin,
      `plugin ${type} ${ended} without an error object`,
      `${said(stdout)} See also what ${file} wrote to stderr.`,
    )
  );
}

/** What a plugin printed as the result of ADD. Code 6 if it is no JSON; an error object is thrown as what it is. */
export function readOutput(type: string, stdout: string): unknown {
  if (stdout.trim() === "") return {};
  const error = printedError(stdout);
  if (error) throw error;
  try {
    return JSON.parse(stdout);
  } catch {
    throw new CniError(ErrorCode.Decoding, `plugin ${type} printed no JSON`, said(stdout));
  }
}

function said(stdout: string): string {
  return stdout.trim() === "" ? "It printed nothing." : `It printed ${show(stdout)}.`;
}

function runPatiently(host: Host, type: string, file: string, options: Parameters<Host["run"]>[1]) {
  for (let attempt = 1; ; attempt++) {
    try {
      return host.run(file, options);
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      if (error.errno !== errno.ETXTBSY || attempt === BUSY_ATTEMPTS)
        throw notRun(type, file, error, options.timeoutMs);
      host.sleep(BUSY_PAUSE_MS);
    }
  }
}

function notRun(type: string, file: string, error: SysError, timeoutMs: number): CniError {
  if (error.errno === errno.ETIMEDOUT)
    return new CniError(
      ErrorCode.TryAgainLater,
      `plugin ${type} did not end within ${timeoutMs / 1000} s`,
      `${file} was killed. ${LIMIT_ADVICE}`,
    );
  return new CniError(ErrorCode.Io, `cannot run plugin ${type}: ${error.message}`, whyNotRun(error.errno), {
    cause: error,
  });
}

function whyNotRun(number: number): string {
  switch (number) {
    case errno.EACCES:
      return "It must be executable (chmod +x), on a file system that is not mounted noexec.";
    case errno.ENOEXEC:
      return "It is no executable for this machine. A script begins with a line such as #!/bin/sh.";
    case errno.ENOENT:
      return "The interpreter that it names (in the first line of a script) is not there.";
    case errno.EFBIG:
      return "It printed more than any result has.";
    default:
      return "";
  }
}

/** The error object that a plugin printed; undefined if it printed something else. */
function printedError(stdout: string): CniError | undefined {
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const [code, msg] = [member(value, "code"), member(value, "msg")];
  if (typeof code !== "number" || typeof msg !== "string") return undefined;
  // 0 is no error's code; who prints it has none of its own.
  return new CniError(code || ErrorCode.Plugin, msg, String(member(value, "details") ?? ""));
}
