import { CniError, ErrorCode } from "../errors.ts";
import { dns, route } from "../fields.ts";
import type { Dns, IpConfig, Result, Route } from "../result.ts";
import { array, cidr, ip, object, optional } from "../schema.ts";
import { encode as encode040, isV6 } from "./v040.ts";
import { decodeAs, type RouteJson } from "./v110.ts";

// 0.1.0 and 0.2.0 know one address per family, which holds the routes of its family, and no interfaces.

export interface Result020Json {
  readonly cniVersion: string;
  readonly ip4?: AddressJson020;
  readonly ip6?: AddressJson020;
  readonly dns: Dns;
}

interface AddressJson020 {
  readonly ip: string;
  readonly gateway?: string;
  readonly routes?: readonly RouteJson[];
}

export function decode(json: unknown): Result {
  const address = object({ ip: cidr(), gateway: optional(ip()), routes: optional(array(route())) });
  const schema = object({ ip4: optional(address), ip6: optional(address), dns: optional(dns()) });
  const { ip4, ip6, dns: dnsOf } = decodeAs(schema, json);
  const ips: IpConfig[] = [];
  const routes: Route[] = [];
  for (const item of [ip4, ip6]) {
    if (!item) continue;
    ips.push({ address: item.ip, ...(item.gateway && { gateway: item.gateway }) });
    routes.push(...(item.routes ?? []));
  }
  return {
    ...(ips.length > 0 && { ips }),
    ...(routes.length > 0 && { routes }),
    ...(dnsOf && { dns: dnsOf }),
  };
}

/** Code 7 without an address or with two of a family. Routes of a family without an address are left out. */
export function encode(result: Result, cniVersion: string): Result020Json {
  const { ips = [], routes = [], dns } = encode040(result, cniVersion);
  const ofFamily = (version: "4" | "6"): AddressJson020 | undefined => {
    const [item, second] = ips.filter((candidate) => candidate.version === version);
    if (second)
      throw inexpressible(`CNI version ${cniVersion} does not support more than 1 address per family`);
    if (!item) return undefined;
    const { address: ip, gateway } = item;
    const own = routes.filter(({ dst }) => isV6(dst) === (version === "6"));
    return { ip, ...(gateway !== undefined && { gateway }), ...(own.length > 0 && { routes: own }) };
  };
  const [ip4, ip6] = [ofFamily("4"), ofFamily("6")];
  if (!ip4 && !ip6) throw inexpressible("cannot convert: no valid IP addresses");
  return { cniVersion, ...(ip4 && { ip4 }), ...(ip6 && { ip6 }), dns };
}

function inexpressible(msg: string): CniError {
  return new CniError(ErrorCode.InvalidConfig, msg, "Set cniVersion to 0.3.0 or later.");
}
