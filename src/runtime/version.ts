import type { NetworkConfigList } from "../spec/config.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { NEWEST_VERSION } from "../spec/versions.ts";
import { callPlugin, type ExecContext } from "./exec.ts";
import { asCniError, combined } from "./failure.ts";

/** Versions that a plugin speaks, as it answers VERSION. One so old that it knows no VERSION speaks 0.1.0. */
export async function pluginVersions(context: ExecContext, type: string): Promise<readonly string[]> {
  // Plugins made before VERSION asked for all variables whatever the verb.
  const variables = { CNI_CONTAINERID: "dummy", CNI_NETNS: "dummy", CNI_IFNAME: "dummy" };
  const request = { cniVersion: NEWEST_VERSION };
  try {
    const { supportedVersions } = await callPlugin(context, { verb: "VERSION", type, variables, request });
    return Array.isArray(supportedVersions)
      ? supportedVersions.filter((item) => typeof item === "string")
      : ["0.1.0"];
  } catch (error) {
    if (error instanceof CniError && error.message.endsWith("unknown CNI_COMMAND: VERSION")) return ["0.1.0"];
    throw error;
  }
}

/** Asks whether every plugin of a network exists and speaks its version; gives the capabilities that they declare. */
export async function validateNetwork(context: ExecContext, network: NetworkConfigList): Promise<string[]> {
  const failures: CniError[] = [];
  for (const { type } of network.plugins) {
    try {
      const versions = await pluginVersions(context, type);
      if (!versions.includes(network.cniVersion)) failures.push(tooOld(type, network.cniVersion, versions));
    } catch (error) {
      failures.push(asCniError(error));
    }
  }
  if (failures.length > 0) throw combined(`network "${network.name}" cannot be used`, failures);
  const declared = network.plugins.flatMap(({ capabilities = {} }) => Object.entries(capabilities));
  return [...new Set(declared.filter(([, wanted]) => wanted).map(([name]) => name))];
}

function tooOld(type: string, version: string, versions: readonly string[]): CniError {
  return new CniError(
    ErrorCode.IncompatibleVersion,
    `plugin ${type} does not support config version "${version}"`,
    `It supports ${versions.join(", ")}.`,
  );
}
