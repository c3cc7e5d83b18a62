import type { NetworkConfigList, PluginConfig } from "./config.ts";
import type { JsonObject } from "./json.ts";

/** What an operation adds to the configuration of a plugin. */
export interface RequestParts {
  /** The values of all capabilities that the runtime supplies. */
  readonly capabilityArgs?: JsonObject | undefined;
  /** JSON in the version of the list. */
  readonly prevResult?: unknown;
  /** For GC: what must stay. */
  readonly validAttachments?: readonly ValidAttachment[] | undefined;
}

export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

/**
 * The configuration that a plugin gets on stdin (specification, section 3, "Deriving request configuration from
 * plugin configuration"). A `runtimeConfig` in the file stays only if no capability is supplied.
 */
export function deriveRequest(
  list: NetworkConfigList,
  plugin: PluginConfig,
  parts: RequestParts = {},
): JsonObject {
  const { capabilityArgs = {}, prevResult, validAttachments } = parts;
  const { capabilities, prevResult: _, ...config } = plugin;
  const passed = Object.entries(config).filter(([key]) => !key.startsWith("cni.dev/"));
  const runtimeConfig = declared(capabilities ?? {}, capabilityArgs);
  return {
    ...Object.fromEntries(passed),
    cniVersion: list.cniVersion,
    name: list.name,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(prevResult !== undefined && prevResult !== null && { prevResult }),
    // The specification has used both names.
    ...(validAttachments && {
      "cni.dev/valid-attachments": validAttachments,
      "cni.dev/attachments": validAttachments,
    }),
  };
}

/** The supplied values of the capabilities that the plugin declares. */
function declared(capabilities: Readonly<Record<string, boolean>>, supplied: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(supplied).filter(([name]) => capabilities[name] === true));
}
