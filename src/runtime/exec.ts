import { errno } from "../host/errno.ts";
import { type Host, isErrno, type RunResult } from "../host/host.ts";
import { ERRORS_TO } from "../plugin/errors-to.ts";
import { findExecutable } from "../plugin/exec.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject, type JsonObject, show } from "../spec/json.ts";
import { asCniError, type Place, PluginError, type Verb } from "./failure.ts";
import { type Programs, runWhenWritten } from "./programs.ts";

/** Plugins that need no file of their own: `path TYPE` runs them. */
export interface BuiltInPlugins {
  readonly path: string;
  readonly types: readonly string[];
}

/** W3C trace context; each becomes an environment variable of the plugins. */
export interface TraceContext {
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly baggage?: string;
}

/** What the runtime needs to run one plugin. */
export interface ExecContext {
  readonly host: Host;
  readonly programs: Programs;
  /** Directories in which plugins are searched, first to last; their CNI_PATH. */
  readonly path: readonly string[];
  readonly builtIn?: BuiltInPlugins;
  /** A plugin that takes longer is killed. */
  readonly timeoutMs: number;
  /** Takes what a plugin wrote to its stderr. */
  readonly onStderr: (text: string, plugin: string) => void;
  /** Stands around each call; `run` may be given another one. */
  readonly around?: (call: PluginCall, run: (call: PluginCall) => Promise<JsonObject>) => Promise<JsonObject>;
}

/** One call of one plugin. */
export interface PluginCall {
  readonly verb: Verb;
  readonly type: string;
  readonly network?: string;
  /** CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_ARGS, as far as the verb has them. */
  readonly variables: Readonly<Record<string, string>>;
  readonly request: JsonObject;
  readonly trace?: TraceContext | undefined;
}

interface Executable {
  readonly path: string;
  readonly argv: readonly string[];
}

/** Where the plugin is: the first regular file of its name in `path`, else our own. Code 7 if it is nowhere. */
export function findPlugin(context: ExecContext, type: string): Executable {
  const { host, path, builtIn } = context;
  const file = findExecutable(host, type, path);
  if (file !== undefined) return { path: file, argv: [file] };
  if (builtIn?.types.includes(type)) return { path: builtIn.path, argv: ["plumb", type] };
  throw new CniError(
    ErrorCode.InvalidConfig,
    `failed to find plugin "${type}" in path [${path.join(" ")}]`,
    "Put the plugin's executable into one of these directories, or name its directory in CNI_PATH.",
  );
}

/**
 * Runs a plugin and gives what it printed: {} for nothing or `null`. A PluginError tells what the plugin
 * answered, that it could not be run, took too long, was killed, or printed no JSON.
 */
export async function callPlugin(context: ExecContext, call: PluginCall): Promise<JsonObject> {
  const { around } = context;
  return around ? around(call, (changed) => answerOf(context, changed)) : answerOf(context, call);
}

async function answerOf(context: ExecContext, call: PluginCall): Promise<JsonObject> {
  const place: Place = {
    verb: call.verb,
    plugin: call.type,
    ...(call.network !== undefined && { network: call.network }),
  };
  const result = await run(context, call, place);
  if (result.stderr !== "") context.onStderr(result.stderr, call.type);
  if (result.exitCode !== 0) throw failureOf(place, result);
  return parseOutput(place, result.stdout);
}

async function run(context: ExecContext, call: PluginCall, place: Place): Promise<RunResult> {
  const { host, programs, timeoutMs } = context;
  try {
    const { path, argv } = findPlugin(context, call.type);
    return await runWhenWritten(programs, path, {
      argv,
      env: environmentFor(host.environment(), context.path, call, host.sys.getpid()),
      stdin: host.encode(JSON.stringify(call.request)),
      timeoutMs,
      captureStderr: true,
    });
  } catch (error) {
    if (isErrno(error, errno.ETIMEDOUT))
      throw new PluginError(
        place,
        ErrorCode.TryAgainLater,
        `no answer within ${timeoutMs / 1000} s`,
        "It was killed. What it had set up is removed by DEL.",
      );
    const { code, message, details } = asCniError(error);
    throw new PluginError(place, code, message, details);
  }
}

/** Variables of one call; those that a runtime above us was given for its own call must not shine through. */
const CALL_VARIABLES = ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"];

/**
 * The plugin's environment: ours, with the variables of the call and its trace context in place of their like. `pid` is this
 * process, which tells the plugin's errors.
 */
export function environmentFor(
  inherited: readonly string[],
  path: readonly string[],
  { verb, variables, trace }: Pick<PluginCall, "verb" | "variables" | "trace">,
  pid: number,
): string[] {
  const own: Record<string, string | undefined> = {
    CNI_COMMAND: verb,
    CNI_PATH: path.join(":"),
    ...variables,
    TRACEPARENT: trace?.traceparent,
    TRACESTATE: trace?.tracestate,
    BAGGAGE: trace?.baggage,
    [ERRORS_TO]: `${pid}`,
  };
  const kept = inherited.filter((entry) => {
    const name = entry.slice(0, entry.indexOf("="));
    return own[name] === undefined && !CALL_VARIABLES.includes(name);
  });
  const set = Object.entries(own).filter(([, value]) => value !== undefined);
  return [...kept, ...set.map(([name, value]) => `${name}=${value}`)];
}

function failureOf(place: Place, { stdout, stderr, exitCode, signal }: RunResult): PluginError {
  const answer = tryJson(stdout);
  const { code = ErrorCode.Plugin, msg, details = "" } = isObject(answer) ? answer : {};
  if (typeof msg === "string") return new PluginError(place, Number(code), msg, String(details));
  const end = signal === 0 ? `exit code ${exitCode}` : `killed by signal ${signal}`;
  const said = [stdout, stderr].map((text) => text.trim()).filter((text) => text !== "");
  return new PluginError(
    place,
    ErrorCode.Plugin,
    `${end} without an error object`,
    said.length > 0 ? `It wrote: ${said.join("\n")}` : "It wrote nothing to stdout and stderr.",
  );
}

function parseOutput(place: Place, stdout: string): JsonObject {
  const output = tryJson(stdout.trim() === "" ? "{}" : stdout);
  if (isObject(output)) return output;
  if (output === null) return {};
  throw new PluginError(
    place,
    ErrorCode.Decoding,
    "its output is no JSON object",
    `It printed ${show(stdout)}.`,
  );
}

/** What the text says; undefined if it is no JSON. */
function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
