import { errno } from "../host/errno.ts";
import { type Host, isErrno } from "../host/host.ts";
import type { NetworkConfigList } from "../spec/config.ts";
import { isObject, type JsonObject } from "../spec/json.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { asCniError } from "./failure.ts";

/** What the runtime remembers of an attachment between ADD and DEL. */
export interface CachedAttachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
  /** Path of the network namespace. */
  readonly netns: string;
  /** The configuration with which ADD was done, as JSON text. */
  readonly config: string;
  readonly args: readonly (readonly [key: string, value: string])[];
  readonly capabilityArgs: JsonObject;
  /** The last plugin's result. */
  readonly result?: JsonObject | undefined;
}

export interface CacheContent {
  readonly attachments: readonly CachedAttachment[];
  /** Files that are no cache entry of this kind. */
  readonly unreadable: readonly string[];
}

/** libcni's name for the shape of its cache files; the files before had the bare result. */
const KIND = "cniCacheV1";

/**
 * Stores an attachment where libcni stores it, in its shape: `<cacheDir>/results/<network>-<container>-<interface>`.
 * Members come in libcni's order, empty ones are left out as there.
 */
export function writeCache(host: Host, cacheDir: string, attachment: CachedAttachment): void {
  const { network, containerId, ifName, netns, config, args, capabilityArgs, result } = attachment;
  const entry = {
    kind: KIND,
    containerId,
    config: toBase64(host.encode(config)),
    ifName,
    networkName: network,
    ...(netns !== "" && { netns }),
    ...(args.length > 0 && { cniArgs: args }),
    ...(Object.keys(capabilityArgs).length > 0 && { capabilityArgs }),
    ...(result && { result }),
  };
  host.makeDirectories(`${cacheDir}/results`, 0o700);
  host.replaceFile(cacheFile(cacheDir, network, containerId, ifName), JSON.stringify(entry), 0o600);
}

/**
 * The entry of one attachment; undefined if there is none, or none that can be read: that must not block DEL. Nor is it the
 * one of another attachment, whose names make the same file: network `a-b` of container `c`, and `a` of `b-c`.
 */
export function readCache(
  host: Host,
  cacheDir: string,
  network: string,
  containerId: string,
  ifName: string,
): CachedAttachment | undefined {
  const entry = readEntry(host, cacheFile(cacheDir, network, containerId, ifName));
  if (entry === undefined) return undefined;
  const { kind } = entry;
  if (kind === KIND) {
    const cached = parseEntry(host, entry);
    return cached && isOf(cached, network, containerId, ifName) ? cached : undefined;
  }
  const nothing = { netns: "", config: "", args: [], capabilityArgs: {} };
  return { network, containerId, ifName, ...nothing, result: entry };
}

/** Another attachment's entry stays. */
export function removeCache(
  host: Host,
  cacheDir: string,
  network: string,
  containerId: string,
  ifName: string,
): void {
  const file = cacheFile(cacheDir, network, containerId, ifName);
  const entry = readEntry(host, file);
  const cached = entry && parseEntry(host, entry);
  if (cached === undefined || isOf(cached, network, containerId, ifName)) host.removeFile(file);
}

/** All attachments in the cache, in the order of their files. */
export function listCache(host: Host, cacheDir: string): CacheContent {
  const attachments: CachedAttachment[] = [];
  const unreadable: string[] = [];
  for (const name of resultFiles(host, cacheDir)) {
    const file = `${cacheDir}/results/${name}`;
    const text = host.readFileIfAny(file);
    if (text === undefined) continue; // gone since
    const entry = tryJson(text);
    const attachment = isObject(entry) ? parseEntry(host, entry) : undefined;
    if (attachment !== undefined) attachments.push(attachment);
    else unreadable.push(file);
  }
  return { attachments, unreadable };
}

/** The configuration as it must be kept for DEL: with the plugins that came from the network's folder. */
export function configToKeep({ source, plugins }: NetworkConfigList): string {
  const { plugins: inlined } = source;
  if (Array.isArray(inlined) && inlined.length === plugins.length) return JSON.stringify(source);
  return JSON.stringify({ ...source, loadOnlyInlinedPlugins: true, plugins });
}

function cacheFile(cacheDir: string, network: string, containerId: string, ifName: string): string {
  return `${cacheDir}/results/${network}-${containerId}-${ifName}`;
}

/** The JSON object in a file; undefined if there is none. */
function readEntry(host: Host, file: string): JsonObject | undefined {
  const text = host.readFileIfAny(file);
  const entry = text === undefined ? undefined : tryJson(text);
  return isObject(entry) ? entry : undefined;
}

function isOf(cached: CachedAttachment, network: string, containerId: string, ifName: string): boolean {
  return cached.network === network && cached.containerId === containerId && cached.ifName === ifName;
}

function resultFiles(host: Host, cacheDir: string): string[] {
  try {
    const names = host.readDirectory(`${cacheDir}/results`);
    return names.filter((name) => !name.endsWith(".tmp")).sort();
  } catch (error) {
    if (isErrno(error, errno.ENOENT)) return [];
    throw asCniError(error);
  }
}

function parseEntry(host: Host, entry: JsonObject): CachedAttachment | undefined {
  const { kind, networkName, containerId, ifName, netns, config, cniArgs, capabilityArgs, result } = entry;
  if (kind !== KIND || !isText(networkName) || !isText(containerId) || !isText(ifName)) return undefined;
  const configBytes = typeof config === "string" ? fromBase64(config) : undefined;
  return {
    network: networkName,
    containerId,
    ifName,
    netns: typeof netns === "string" ? netns : sandboxOf(result, ifName),
    config: configBytes === undefined ? "" : host.decode(configBytes),
    args: Array.isArray(cniArgs) ? cniArgs.filter(isPair) : [],
    capabilityArgs: isObject(capabilityArgs) ? capabilityArgs : {},
    ...(isObject(result) && { result }),
  };
}

/**
 * The namespace that the result tells: the libcni of podman, buildah and containerd's older releases writes no `netns`. Where
 * `sandbox` names a virtual machine, it is no path.
 */
function sandboxOf(result: unknown, ifName: string): string {
  const interfaces = isObject(result) ? result["interfaces"] : undefined;
  if (!Array.isArray(interfaces)) return "";
  const own = interfaces.find((each) => isObject(each) && each["name"] === ifName && isPath(each["sandbox"]));
  return own?.sandbox ?? "";
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isPath(value: unknown): value is string {
  return typeof value === "string" && value.startsWith("/");
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((item) => typeof item === "string");
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
