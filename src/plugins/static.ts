import { type Cidr, parseCidr } from "../address/cidr.ts";
import { type Ip, parseIp } from "../address/ip.ts";
import { definePlugin } from "../plugin/define.ts";
import type { AddRequest, Call, CheckRequest, StatusRequest } from "../plugin/types.ts";
import { cniArgs } from "../spec/capabilities/cni-args.ts";
import { ips } from "../spec/capabilities/ips.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { dns, route } from "../spec/fields.ts";
import type { IpConfig, Result } from "../spec/result.ts";
import { array, type Infer, ip, object, optional, string } from "../spec/schema.ts";
import { isAtLeast } from "../spec/versions.ts";

const config = object({
  ipam: optional(
    object({
      addresses: optional(array(object({ address: string(), gateway: optional(ip()) })), []),
      routes: optional(array(route())),
      dns: optional(dns()),
    }),
  ),
  runtimeConfig: optional(object({ ips: optional(ips(), []) })),
  args: cniArgs({ ips: optional(ips(), []) }),
});

type StaticConfig = Infer<typeof config>;

/** Gives the addresses that are configured or asked for. It keeps no state: DEL and GC have nothing to do. */
export const plugin = definePlugin({ type: "static", sandbox: "none", config, add, check, status });

function add(request: AddRequest<StaticConfig>): Result {
  const ips = addresses(request, request.args);
  const { routes, dns } = ipamOf(request.config);
  return { ips, ...(routes && { routes }), ...(dns && { dns }) };
}

/** Finds out whether the result of ADD has the addresses, with their gateways. */
function check(request: CheckRequest<StaticConfig>): void {
  const { prevResult, args, ifName } = request;
  if (!prevResult)
    throw new CniError(ErrorCode.InvalidConfig, "Required prevResult missing", "CHECK compares with it.");
  for (const { address, gateway } of addresses(request, args)) {
    const given = prevResult.ips?.find((item) => item.address.ip.equals(address.ip));
    if (given && (!gateway || given.gateway?.equals(gateway))) continue;
    throw new CniError(
      ErrorCode.Plugin,
      `static: Failed to match addr ${address.ip} on interface ${ifName}`,
      given
        ? `Its gateway is ${given.gateway ?? "missing"}, not ${gateway}.`
        : "The result of ADD does not have it.",
    );
  }
}

function status(request: StatusRequest<StaticConfig>): void {
  addresses(request, new Map());
}

function ipamOf({ ipam }: StaticConfig): NonNullable<StaticConfig["ipam"]> {
  if (ipam) return ipam;
  throw new CniError(ErrorCode.InvalidConfig, "IPAM config missing 'ipam' key");
}

/**
 * The addresses that the runtime asks for; else those of `args`; else the configured ones and those of CNI_ARGS.
 * Code 7, or 4 for CNI_ARGS, if one is no address with prefix length, or the version cannot have so many.
 */
function addresses(
  { config, cniVersion }: Call<StaticConfig>,
  args: ReadonlyMap<string, string>,
): IpConfig[] {
  const configured = ipamOf(config).addresses;
  const byRuntime = config.runtimeConfig?.ips ?? [];
  const byArgs = config.args?.cni?.ips ?? [];
  const requested = byRuntime.length > 0 ? byRuntime : byArgs;
  const fromEnvironment = environmentAddresses(args);
  const ips =
    requested.length > 0
      ? requested.map((text) => ({ address: requestedAddress(text) }))
      : [...configured.map(configuredAddress), ...fromEnvironment];
  const count = (family: number) => ips.filter(({ address }) => address.family === family).length;
  if ((count(4) > 1 || count(6) > 1) && !isAtLeast(cniVersion, "0.3.0"))
    throw new CniError(
      ErrorCode.InvalidConfig,
      `CNI version ${cniVersion} does not support more than 1 address per family`,
      'Raise "cniVersion" to 0.3.0 or later.',
    );
  return ips;
}

function configuredAddress({
  address: text,
  gateway,
}: {
  address: string;
  gateway?: Ip | undefined;
}): IpConfig {
  const address = parseCidr(text);
  if (address) return { address, ...(gateway && { gateway }) };
  throw notCidr(
    ErrorCode.InvalidConfig,
    `the 'address' field is expected to be in CIDR notation, got: '${text}'`,
  );
}

function requestedAddress(text: string): Cidr {
  const address = parseCidr(text);
  if (address) return address;
  throw notCidr(
    ErrorCode.InvalidConfig,
    `an entry in the 'ips' field is NOT in CIDR notation, got: '${text}'`,
  );
}

/** `IP` of CNI_ARGS, a list with commas; `GATEWAY` belongs to those in whose networks it lies. */
function environmentAddresses(args: ReadonlyMap<string, string>): IpConfig[] {
  const gateways = list(args.get("GATEWAY")).map((text) => {
    const gateway = parseIp(text);
    if (gateway) return gateway;
    throw new CniError(
      ErrorCode.InvalidEnvironment,
      `invalid gateway address: ${text}`,
      "It stands in CNI_ARGS as GATEWAY.",
    );
  });
  return list(args.get("IP")).map((text) => {
    const address = parseCidr(text);
    if (!address)
      throw notCidr(
        ErrorCode.InvalidEnvironment,
        `the 'ip' field is expected to be in CIDR notation, got: '${text}'`,
      );
    const gateway = gateways.findLast((ip) => address.contains(ip));
    return { address, ...(gateway && { gateway }) };
  });
}

function list(text: string | undefined): string[] {
  return text ? text.split(",").map((item) => item.trim()) : [];
}

function notCidr(code: number, msg: string): CniError {
  return new CniError(
    code,
    msg,
    "Write the address with the length of its network's prefix, as 10.1.2.3/24.",
  );
}
