import { everywhere } from "../../address/cidr.ts";
import type { Ip } from "../../address/ip.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { IpConfig, Result } from "../../spec/result.ts";
import { array, boolean, type Infer, integer, ip, object, optional } from "../../spec/schema.ts";

export const config = object({
  /** Rules lead to this table, whose routes are the business of whoever names it. */
  table: optional(integer(1, 0xffffffff)),
  /** Where the default routes lead, in place of IPAM's gateways: one of each family at the most. */
  gateways: optional(array(ip()), []),
  /** Leave the routes to the subnets where they were, with the addresses as source. */
  addSourceHints: optional(boolean(), false),
});

export type SbrConfig = Infer<typeof config>;

/** Refuses, with code 7, values that do not go together. */
export function checkConfig({ gateways }: SbrConfig): void {
  const nobody = gateways.find((gateway) => gateway.equals(everywhere(gateway.family).ip));
  if (nobody)
    throw new CniError(
      ErrorCode.InvalidConfig,
      `gateways: ${nobody} is no gateway`,
      "It is nobody's address.",
    );
  for (const family of [4, 6] as const) {
    const [first, second] = gateways.filter((gateway) => gateway.family === family);
    if (second)
      throw new CniError(
        ErrorCode.InvalidConfig,
        `gateways list contains multiple IPv${family} addresses: ${first} and ${second}`,
        "It has room for one IPv4 and one IPv6 address.",
      );
  }
}

/** The gateway of an address: the configured one of its family, or that of IPAM. */
export function gatewayOf({ gateways }: SbrConfig, { address, gateway }: IpConfig): Ip | undefined {
  return gateways.find(({ family }) => family === address.family) ?? gateway;
}

/** What the plugins before have made. Code 7 where there is none, or no address. */
export function requireResult(prevResult: Result | undefined, ifName: string): Result {
  if (prevResult === undefined)
    throw new CniError(
      ErrorCode.InvalidConfig,
      "This plugin must be called as chained plugin",
      "Name it in `plugins` behind the one that makes the interface.",
    );
  if (prevResult.ips?.length) return prevResult;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `No IP addresses supplied on interface: ${ifName}`,
    "Routing by source needs an address: give the interface's plugin an ipam section.",
  );
}

/** The addresses of a result that are not another interface's. */
export function addressesOf({ ips = [], interfaces = [] }: Result, ifName: string): IpConfig[] {
  return ips.filter(({ interface: index }) => {
    const owner = index === undefined ? undefined : interfaces[index];
    return owner === undefined || owner.name === ifName;
  });
}
