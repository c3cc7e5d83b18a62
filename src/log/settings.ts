import type { Host } from "../host/host.ts";
import { CniError } from "../spec/errors.ts";
import { isObject, type JsonObject } from "../spec/json.ts";
import { type Infer, object, optional, parsed } from "../spec/schema.ts";
import { parseLevel } from "./level.ts";

function path() {
  return parsed((text) => (text.startsWith("/") ? text : undefined), "an absolute path");
}

function level() {
  return parsed(parseLevel, 'one of "error", "warn", "info", "debug"');
}

/** The keys for logs that every plugin's configuration may have. */
export function logSchema() {
  return object({ logFile: optional(path()), logLevel: optional(level()), traceFile: optional(path()) });
}

/** What is to be told, and where. */
export type LogSettings = Infer<ReturnType<typeof logSchema>>;

/** Their variables, for the whole host. */
const VARIABLES = { logFile: "PLUMB_LOG_FILE", logLevel: "PLUMB_LOG_LEVEL", traceFile: "PLUMB_TRACE_FILE" };

/** Whether the environment wants anything. */
export function asksForLog(host: Host): boolean {
  return Object.values(VARIABLES).some((name) => host.variable(name));
}

/** What the environment wants; `complain` is told of values that make no sense, which count as not set. */
export function settingsOfEnvironment(host: Host, complain: (problem: string) => void): LogSettings {
  return lenient(VARIABLES, (key) => host.variable(VARIABLES[key]), complain);
}

/** What a configuration wants. Code 7 names a value that makes no sense; with `complain` that one is left out instead. */
export function settingsOfConfig(config: JsonObject, complain?: (problem: string) => void): LogSettings {
  if (complain === undefined) return logSchema().parse(config, "");
  const keys = { logFile: "logFile", logLevel: "logLevel", traceFile: "traceFile" };
  const given = Object.fromEntries(Object.entries(config).map(([key, value]) => [key.toLowerCase(), value]));
  return lenient(keys, (key) => given[key.toLowerCase()], complain);
}

function lenient(
  names: typeof VARIABLES,
  valueFor: (key: keyof typeof VARIABLES) => unknown,
  complain: (problem: string) => void,
): LogSettings {
  const schema = logSchema();
  const settings: Record<string, unknown> = {};
  for (const key of ["logFile", "logLevel", "traceFile"] as const)
    try {
      const one = schema.parse({ [key]: valueFor(key) }, "");
      if (isObject(one)) Object.assign(settings, one);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      complain(`${names[key]} is ignored: ${error.message.replace(/^.*?: .*?: /, "")}`);
    }
  return settings;
}
