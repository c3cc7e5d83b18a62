import type { Host } from "../host/host.ts";
import { mayBeNamespace } from "../net/namespace.ts";
import type { NetworkConfigList, PluginConfig } from "../spec/config.ts";
import { deriveRequest, type RequestParts } from "../spec/derive.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";
import { resultCodec, resultVersion } from "../spec/results/index.ts";
import { isAtLeast } from "../spec/versions.ts";
import { type CachedAttachment, configToKeep, readCache, removeCache, writeCache } from "./cache.ts";
import { callPlugin, type ExecContext, type TraceContext } from "./exec.ts";
import { asCniError, combined, PluginError, type Verb } from "./failure.ts";

/** One interface of one container, to be joined to a network. */
export interface Attachment {
  readonly containerId: string;
  /** Path of the network namespace; "" on DEL if it is gone. */
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS. Where CHECK and DEL are given none, those of ADD are taken from the cache. */
  readonly args?: readonly (readonly [key: string, value: string])[];
  /** Values for capabilities; each plugin gets those that it declares. Cached as `args`. */
  readonly capabilityArgs?: JsonObject;
}

/** What may be said with every operation. */
export interface CallOptions {
  readonly trace?: TraceContext;
}

export interface ChainContext extends ExecContext {
  readonly cacheDir: string;
}

/**
 * ADD of all plugins in their order, each with its predecessor's result; stores and gives the last one's, in the
 * network's version. The first error ends it and leaves what was set up: DEL must follow.
 */
export async function addNetwork(
  context: ChainContext,
  network: NetworkConfigList,
  attachment: Attachment,
  options: CallOptions,
): Promise<JsonObject> {
  const { args = [], capabilityArgs = {} } = attachment;
  let result: JsonObject | undefined;
  for (const plugin of network.plugins) {
    const parts = { capabilityArgs, prevResult: result };
    const answer = await callOne(context, network, plugin, "ADD", attachment, parts, options);
    result = await inVersionOf(network, answer, plugin);
  }
  if (result === undefined)
    throw new CniError(ErrorCode.InvalidConfig, `network "${network.name}" has no plugins`);
  writeCache(context.host, context.cacheDir, {
    ...attachment,
    network: network.name,
    args,
    capabilityArgs,
    config: configToKeep(network),
    result,
  });
  return result;
}

/**
 * CHECK of all plugins in their order, each with the result of ADD. The first error ends it. Does nothing when the
 * network has `disableCheck`. Code 1 below version 0.4.0, code 3 for what was not attached.
 */
export async function checkNetwork(
  context: ChainContext,
  network: NetworkConfigList,
  attachment: Attachment,
  options: CallOptions,
): Promise<void> {
  if (!isAtLeast(network.cniVersion, "0.4.0"))
    throw new CniError(
      ErrorCode.IncompatibleVersion,
      `configuration version "${network.cniVersion}" does not support the CHECK command`,
      "CHECK exists since version 0.4.0.",
    );
  if (network.disableCheck) return;
  const cached = cachedOf(context, network, attachment);
  if (cached?.result === undefined)
    throw new CniError(
      ErrorCode.UnknownContainer,
      `container ${attachment.containerId} has no ${attachment.ifName} on network "${network.name}"`,
      `There is no result of ADD in ${context.cacheDir}/results.`,
    );
  const full = completed(attachment, cached);
  const prevResult = await inVersionOf(network, cached.result);
  for (const plugin of network.plugins) {
    const parts = { capabilityArgs: full.capabilityArgs, prevResult };
    await callOne(context, network, plugin, "CHECK", full, parts, options);
  }
}

/**
 * DEL of all plugins, last first, each with the result of ADD if it is known. All of them run although some fail; then
 * the failures are thrown as one, and the cache entry stays for the next try.
 */
export async function delNetwork(
  context: ChainContext,
  network: NetworkConfigList,
  attachment: Attachment,
  options: CallOptions,
): Promise<void> {
  const cached = cachedOf(context, network, attachment);
  const { host } = context;
  const full = { ...completed(attachment, cached), netns: netnsForDel(host, attachment.netns) };
  const prevResult = await prevResultForDel(network, cached);
  const failures: CniError[] = [];
  for (const plugin of network.plugins.toReversed()) {
    const parts = { capabilityArgs: full.capabilityArgs, prevResult };
    try {
      await callOne(context, network, plugin, "DEL", full, parts, options);
    } catch (error) {
      failures.push(asCniError(error));
    }
  }
  const { containerId, ifName } = attachment;
  if (failures.length > 0)
    throw combined(`cannot remove ${ifName} of ${containerId} from network "${network.name}"`, failures);
  removeCache(host, context.cacheDir, network.name, containerId, ifName);
}

/** STATUS of all plugins; the first error is thrown. Networks below version 1.1.0 are not asked. */
export async function networkStatus(
  context: ChainContext,
  network: NetworkConfigList,
  options: CallOptions,
): Promise<void> {
  if (!isAtLeast(network.cniVersion, "1.1.0")) return;
  for (const plugin of network.plugins)
    await callOne(context, network, plugin, "STATUS", undefined, {}, options);
}

/** One call of one plugin; what it printed. */
export function callOne(
  context: ChainContext,
  network: NetworkConfigList,
  plugin: PluginConfig,
  verb: Verb,
  attachment: Attachment | undefined,
  parts: RequestParts,
  { trace }: CallOptions,
): Promise<JsonObject> {
  return callPlugin(context, {
    verb,
    type: plugin.type,
    network: network.name,
    variables: attachment ? variablesOf(attachment) : {},
    request: deriveRequest(network, plugin, parts),
    trace,
  });
}

function variablesOf({ containerId, netns, ifName, args = [] }: Attachment): Record<string, string> {
  return {
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifName,
    CNI_ARGS: args.map(([key, value]) => `${key}=${value}`).join(";"),
  };
}

function cachedOf(
  { host, cacheDir }: ChainContext,
  network: NetworkConfigList,
  { containerId, ifName }: Attachment,
): CachedAttachment | undefined {
  return readCache(host, cacheDir, network.name, containerId, ifName);
}

/** CHECK and DEL are given the parameters of ADD. */
function completed(attachment: Attachment, cached: CachedAttachment | undefined): Required<Attachment> {
  const { args = cached?.args ?? [], capabilityArgs = cached?.capabilityArgs ?? {} } = attachment;
  return { ...attachment, args, capabilityArgs };
}

/** "" for what is gone: there are plugins that fail with the path, above all if a file is left there, as by docker. */
function netnsForDel(host: Host, path: string): string {
  return mayBeNamespace(host, path) ? path : "";
}

/** Version 0.4.0 gave DEL a prevResult. An unusable one is left out rather than let it block DEL. */
async function prevResultForDel(
  network: NetworkConfigList,
  cached: CachedAttachment | undefined,
): Promise<JsonObject | undefined> {
  if (cached?.result === undefined || !isAtLeast(network.cniVersion, "0.4.0")) return undefined;
  return inVersionOf(network, cached.result).catch(() => undefined);
}

/**
 * A result in the network's version. Where it is in that version already it stays as it was written, unknown members
 * included. Code 6 if it is no result; a PluginError if a plugin gave it.
 */
async function inVersionOf(
  network: NetworkConfigList,
  json: JsonObject,
  plugin?: PluginConfig,
): Promise<JsonObject> {
  const { cniVersion } = network;
  try {
    const version = resultVersion(json, cniVersion);
    const result = resultCodec(version).decode(json);
    if (version === cniVersion) return { ...json, cniVersion };
    return resultCodec(cniVersion).encode(result) as JsonObject;
  } catch (error) {
    const { code, message, details } = asCniError(error);
    if (plugin === undefined) throw error;
    throw new PluginError(
      { verb: "ADD", plugin: plugin.type, network: network.name },
      code,
      message,
      details,
    );
  }
}
