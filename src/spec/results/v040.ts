import type { Dns, Result } from "../result.ts";
import * as v100 from "./v100.ts";
import type { AddressJson, ResultJson } from "./v110.ts";

// 0.3.0, 0.3.1 and 0.4.0 are 1.0.0 with the family of each address beside it, and with a `dns` that is always there.

export interface Result040Json extends ResultJson {
  readonly ips?: readonly (AddressJson & { readonly version: "4" | "6" })[];
  readonly dns: Dns;
}

/** The family is read off the address, not off `version`. */
export function decode(json: unknown): Result {
  return v100.decode(json);
}

export function encode(result: Result, cniVersion: string): Result040Json {
  const { ips, dns = {}, ...same } = v100.encode(result);
  return {
    ...same,
    cniVersion,
    ...(ips && { ips: ips.map((item) => ({ version: isV6(item.address) ? "6" : "4", ...item })) }),
    dns,
  };
}

export function isV6(address: string): boolean {
  return address.includes(":");
}
