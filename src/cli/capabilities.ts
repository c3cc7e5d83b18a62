import type { Host } from "../host/host.ts";
import { sayOnStderr } from "../log/one-line.ts";
import type { NetworkConfigList } from "../spec/config.ts";
import { isObject, type JsonObject, show } from "../spec/json.ts";

/** Warns of CAP_ARGS that no plugin of the networks takes: a misspelt name, or a network without portmap, is not seen else. */
export function warnOfUnusedCapabilities(
  host: Host,
  networks: readonly NetworkConfigList[],
  capabilityArgs: JsonObject = {},
): void {
  for (const [name, value] of Object.entries(capabilityArgs)) {
    const problem = isEmpty(value) ? undefined : problemOf(name, networks);
    if (problem !== undefined) sayOnStderr(host, `plumb: ${problem}`);
  }
}

function problemOf(name: string, networks: readonly NetworkConfigList[]): string | undefined {
  const declared = networks
    .flatMap(({ plugins }) => plugins)
    .flatMap(({ capabilities = {} }) => Object.keys(capabilities).filter((key) => capabilities[key]));
  if (declared.includes(name)) return undefined;
  const whose = networks.map((network) => network.name).join(", ");
  const known = [...new Set(declared)].map((key) => show(key)).join(", ");
  return `${show(name)} of CAP_ARGS is ignored: no plugin of network ${whose} has it in its "capabilities"${known && `, they have ${known}`}`;
}

/** Scripts pass on a list of no ports too. */
function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}
