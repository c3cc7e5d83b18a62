import { openHost } from "../host/node.node.ts";
import { spawnedPrograms } from "./programs.node.ts";
import { createRuntime as createRuntimeOn, type Runtime, type RuntimeOptions } from "./runtime.ts";

/** As the runtime in the executable, on Node: plugins are children, and the event loop goes on while they run. */
export function createRuntime(options: Omit<RuntimeOptions, "host" | "programs"> = {}): Runtime {
  return createRuntimeOn({ ...options, host: openHost(), programs: spawnedPrograms() });
}

export type { NetworkConfigList, PluginConfig } from "../spec/config.ts";
export { parseConf, parseConfigList } from "../spec/config.ts";
export type { ValidAttachment } from "../spec/derive.ts";
export { CniError, ErrorCode } from "../spec/errors.ts";
export type { Dns, Interface, IpConfig, Result, Route } from "../spec/result.ts";
export { type ResultCodec, resultCodec, resultVersion } from "../spec/results/index.ts";
export type { CacheContent, CachedAttachment } from "./cache.ts";
export type { Attachment, CallOptions } from "./chain.ts";
export type { BuiltInPlugins, TraceContext } from "./exec.ts";
export { PluginError } from "./failure.ts";
export type { BadFile, FoundNetwork, NetworkDirectory } from "./find.ts";
export type { Runtime, RuntimeOptions } from "./runtime.ts";
