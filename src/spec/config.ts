import { CniError, ErrorCode } from "./errors.ts";
import { dns } from "./fields.ts";
import { isObject, type JsonObject, show } from "./json.ts";
import { describeJsonError } from "./json-error.ts";
import { isPluginType, type NetworkName, parseNetworkName } from "./names.ts";
import {
  anything,
  array,
  boolean,
  dictionary,
  object,
  optional,
  parsed,
  type Schema,
  string,
  unexpected,
} from "./schema.ts";
import { type CniVersion, pickVersion } from "./versions.ts";

/** A plugin's object in a configuration, as it was written: unknown keys stay. */
export interface PluginConfig extends JsonObject {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
}

/** A network configuration (specification, section 1). */
export interface NetworkConfigList {
  readonly name: NetworkName;
  /** The version to run it with: the newest supported of `cniVersion` and `cniVersions`. */
  readonly cniVersion: CniVersion;
  readonly cniVersions?: readonly string[];
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  /** Plugins from the folder beside the file are not added. */
  readonly loadOnlyInlinedPlugins: boolean;
  /** May be empty until `withFolderPlugins`. */
  readonly plugins: readonly PluginConfig[];
  /** The list as it was written. */
  readonly source: JsonObject;
}

/** Parses a `.conflist`, text or JSON value. Code 6 if it is not JSON, 7 if it is no configuration, 1 for its version. */
export function parseConfigList(input: unknown): NetworkConfigList {
  const source = jsonObject(input);
  const { name, cniVersion, cniVersions, plugins, ...flags } = listSchema().parse(source, "");
  const list = {
    name: parseNetworkName(name),
    cniVersion: pickVersion(cniVersion, cniVersions),
    ...(cniVersions && { cniVersions }),
    ...flags,
    plugins,
    source,
  };
  return list.loadOnlyInlinedPlugins ? withFolderPlugins(list, []) : list;
}

/** Parses a single `.conf` (before 1.0.0) and makes it a list of one. Codes as `parseConfigList`. */
export function parseConf(input: unknown): NetworkConfigList {
  const plugin = parsePluginConf(input);
  const { name, cniVersion } = plugin;
  return parseConfigList({ name, cniVersion, loadOnlyInlinedPlugins: true, plugins: [plugin] });
}

/** Parses one plugin's object: a file of the folder `<configuration directory>/<network>/`. Codes 6 and 7. */
export function parsePluginConf(input: unknown): PluginConfig {
  const source = jsonObject(input);
  const { type, plugins } = source;
  if (type === undefined && Array.isArray(plugins)) {
    const details = "A configuration with plugins is a list, which is read from a file named *.conflist.";
    throw new CniError(ErrorCode.InvalidConfig, "missing plugin type", details);
  }
  return pluginSchema().parse(source, "");
}

/** The list with the folder's plugins after its own. Code 7 if there is none at all. */
export function withFolderPlugins(
  list: NetworkConfigList,
  folder: readonly PluginConfig[],
): NetworkConfigList {
  const plugins = list.loadOnlyInlinedPlugins ? list.plugins : [...list.plugins, ...folder];
  if (plugins.length > 0) return { ...list, plugins };
  const fromFolder = list.loadOnlyInlinedPlugins
    ? "loadOnlyInlinedPlugins is set"
    : `the folder ${show(list.name)} has none`;
  const details = `"plugins" is missing or empty, and ${fromFolder}.`;
  throw new CniError(ErrorCode.InvalidConfig, `network ${show(list.name)} has no plugins`, details);
}

/** Keys that only a runtime should set (specification, section 1, "Plugin configuration objects"). */
export function reservedKeys(plugin: PluginConfig): string[] {
  const reserved = ["runtimeConfig", "args", "prevResult"];
  return Object.keys(plugin).filter((key) => reserved.includes(key) || key.startsWith("cni.dev/"));
}

function listSchema() {
  return object({
    name: anything(),
    cniVersion: optional(string()),
    cniVersions: optional(array(string())),
    disableCheck: optional(flag(), false),
    disableGC: optional(flag(), false),
    loadOnlyInlinedPlugins: optional(flag(), false),
    plugins: optional(array(pluginSchema()), []),
  });
}

/** Checks the well-known keys; the value is the object as it was written. */
function pluginSchema(): Schema<PluginConfig> {
  const known = object({
    type: parsed(
      (text) => (isPluginType(text) ? text : undefined),
      "the name of an executable, without a directory",
    ),
    capabilities: optional(dictionary(boolean())),
    ipam: optional(object({ type: optional(string()) })),
    dns: optional(dns()),
  });
  return {
    shape: known.shape,
    parse(value, path) {
      const { type, capabilities } = known.parse(value, path);
      return { ...(value as JsonObject), type, ...(capabilities && { capabilities }) };
    },
  };
}

/** true or false; the reference takes the texts too, in any case. */
function flag(): Schema<boolean> {
  return {
    shape: boolean().shape,
    parse(value, path) {
      const text = String(value).toLowerCase();
      if (text === "true" || text === "false") return text === "true";
      throw unexpected(path, "true or false", value);
    },
  };
}

/** JSON text or a JSON value, as an object. */
function jsonObject(input: unknown): JsonObject {
  const value = typeof input === "string" ? parseJson(input) : input;
  if (isObject(value)) return value;
  throw unexpected("", "an object", value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CniError(ErrorCode.Decoding, "the configuration is not JSON", describeJsonError(text), {
      cause,
    });
  }
}
