import type { Ip } from "../../address/ip.ts";
import type { Call } from "../../plugin/types.ts";
import { cniArgs } from "../../spec/capabilities/cni-args.ts";
import { ipRanges } from "../../spec/capabilities/ip-ranges.ts";
import { ips, parseRequestedIp } from "../../spec/capabilities/ips.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { route } from "../../spec/fields.ts";
import { show } from "../../spec/json.ts";
import { array, cidr, type Infer, ip, object, optional, string } from "../../spec/schema.ts";
import { isAtLeast } from "../../spec/versions.ts";
import { type RangeSet, rangeSets } from "./range.ts";
import { type Place, placeOf } from "./store.ts";

const DATA_DIR = "/var/lib/cni/networks";

/** The network's configuration, as far as host-local reads it. */
export const config = object({
  ipam: optional(
    object({
      ranges: optional(ipRanges(), []),
      /** The older form of a single set with a single range; it comes before `ranges`. */
      subnet: optional(cidr()),
      rangeStart: optional(ip()),
      rangeEnd: optional(ip()),
      gateway: optional(ip()),
      routes: optional(array(route())),
      /** The directory of the reservations. */
      dataDir: optional(string(), ""),
      /** A file as /etc/resolv.conf, whose content becomes the result's `dns`. */
      resolvConf: optional(string(), ""),
    }),
  ),
  runtimeConfig: optional(object({ ipRanges: optional(ipRanges(), []), ips: optional(ips(), []) })),
  args: cniArgs({ ips: optional(ips(), []) }),
});

export type HostLocalConfig = Infer<typeof config>;

/** The `ipam` of the configuration. Code 7 if there is none. */
export function ipamOf(config: HostLocalConfig): NonNullable<HostLocalConfig["ipam"]> {
  if (config.ipam) return config.ipam;
  throw new CniError(ErrorCode.InvalidConfig, "IPAM config missing 'ipam' key");
}

/** Where the network's reservations are. */
export function placeFor({ config, network }: Call<HostLocalConfig>): Place {
  return placeOf(ipamOf(config).dataDir || DATA_DIR, network);
}

/** All sets to give an address of: those of the runtime, the older form, `ranges`. Code 7 if they are wrong. */
export function rangeSetsFor({ config, cniVersion }: Call<HostLocalConfig>): RangeSet[] {
  const ipam = ipamOf(config);
  const { subnet, rangeStart, rangeEnd, gateway } = ipam;
  const older = subnet ? [[{ subnet, rangeStart, rangeEnd, gateway }]] : [];
  const sets = rangeSets([...(config.runtimeConfig?.ipRanges ?? []), ...older, ...ipam.ranges]);
  const count = (family: number) => sets.filter((set) => set[0]!.subnet.family === family).length;
  if ((count(4) > 1 || count(6) > 1) && !isAtLeast(cniVersion, "0.3.0"))
    throw new CniError(
      ErrorCode.InvalidConfig,
      `CNI version ${cniVersion} does not support more than 1 address per family`,
      `Raise "cniVersion" to 0.3.0 or later, or leave one range set per family.`,
    );
  return sets;
}

/**
 * The addresses that are asked for, by CNI_ARGS, by `args` and by the runtime. Each counts once: podman names a static
 * one twice when it attaches a container anew (`podman network reload`).
 */
export function requestedIps(config: HostLocalConfig, args: ReadonlyMap<string, string>): Ip[] {
  const byArgs = args.get("IP") || undefined;
  const texts = [
    ...(byArgs === undefined ? [] : [byArgs]),
    ...(config.args?.cni?.ips ?? []),
    ...(config.runtimeConfig?.ips ?? []),
  ];
  const requested = texts.map((text) => {
    const parsed = parseRequestedIp(text);
    if (parsed) return parsed.ip;
    const details =
      text === byArgs ? "It stands in CNI_ARGS as IP." : `It stands in "ips" of args.cni or runtimeConfig.`;
    throw new CniError(ErrorCode.InvalidConfig, `cannot understand ip: ${show(text)}`, details);
  });
  return requested.filter((ip, index) => requested.findIndex((other) => other.equals(ip)) === index);
}
