import { errno } from "../host/errno.ts";
import { type Host, isErrno, S_IFMT, S_IFREG } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, show } from "../spec/json.ts";

/** How long "text file busy" (a plugin being replaced) is retried. */
const BUSY_ATTEMPTS = 5;
const BUSY_PAUSE_MS = 200;

/** The first regular file of that name in the directories of CNI_PATH; undefined if there is none. */
export function findExecutable(host: Host, type: string, path: readonly string[]): string | undefined {
  for (const directory of path) {
    const file = `${directory}/${type}`;
    const status = directory === "" ? undefined : host.statIfAny(file);
    if (status !== undefined && (status.mode & S_IFMT) === S_IFREG) return file;
  }
  return undefined;
}

/** Whether a file is the program that runs now. */
export function isOurself(host: Host, file: string): boolean {
  const [other, own] = [host.stat(file), host.statIfAny("/proc/self/exe")];
  return other.ino === own?.ino && other.dev === own.dev;
}

export interface PluginCall {
  readonly type: string;
  readonly file: string;
  readonly argv?: readonly string[];
  /** `NAME=value` entries, the whole environment. */
  readonly env: readonly string[];
  /** The configuration, as JSON. */
  readonly stdin: string;
  readonly timeoutMs: number;
}

/** Runs a plugin as the specification says, and gives the JSON value it printed; undefined if it printed nothing. */
export function execPlugin(host: Host, call: PluginCall): unknown {
  const { exitCode, signal, stdout } = runPatiently(host, call);
  if (exitCode === 0) return stdout.trim() === "" ? undefined : parseOutput(call.type, stdout);
  throw failure(call.type, exitCode, signal, stdout);
}

function runPatiently(host: Host, { type, file, argv = [file], env, stdin, timeoutMs }: PluginCall) {
  for (let attempt = 1; ; attempt++) {
    try {
      return host.run(file, { argv, env, stdin: host.encode(stdin), timeoutMs });
    } catch (error) {
      if (isErrno(error, errno.ETIMEDOUT))
        throw new CniError(
          ErrorCode.TryAgainLater,
          `plugin ${type} did not end within ${timeoutMs / 1000} s`,
          `${file} was killed.`,
        );
      if (!isErrno(error, errno.ETXTBSY) || attempt === BUSY_ATTEMPTS)
        throw new CniError(
          ErrorCode.Io,
          `cannot run plugin ${type}`,
          `${file}: ${(error as Error).message}`,
          { cause: error },
        );
      host.sleep(BUSY_PAUSE_MS);
    }
  }
}

function parseOutput(type: string, stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new CniError(ErrorCode.Decoding, `plugin ${type} printed no JSON`, `It printed ${show(stdout)}.`);
  }
}

/** The error that a plugin printed, or one about how it ended. */
function failure(type: string, exitCode: number, signal: number, stdout: string): CniError {
  const printed = errorOf(stdout);
  if (printed !== undefined) return printed;
  const ended = signal !== 0 ? `was ended by signal ${signal}` : `ended with exit code ${exitCode}`;
  return new CniError(
    ErrorCode.Plugin,
    `plugin ${type} ${ended} without an error object`,
    stdout === "" ? "It printed nothing; see what it wrote to stderr." : `It printed ${show(stdout)}.`,
  );
}

function errorOf(stdout: string): CniError | undefined {
  try {
    const value: unknown = JSON.parse(stdout);
    if (!isObject(value) || typeof value["code"] !== "number") return undefined;
    return new CniError(value["code"], String(value["msg"] ?? ""), String(value["details"] ?? ""));
  } catch {
    return undefined;
  }
}

/** The directories of a CNI_PATH. */
export function splitPath(path: string): string[] {
  return path.split(":").filter((directory) => directory !== "");
}
