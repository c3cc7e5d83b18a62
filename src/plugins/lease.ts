import type { AddRequest, Undo } from "../plugin/types.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { isObject } from "../spec/json.ts";
import type { IpConfig, Result } from "../spec/result.ts";

/** The IPAM plugin, for plugins that cannot do without an address. Code 7 if the configuration names none. */
export function requireIpam<T>(ipam: T | undefined): T {
  if (ipam !== undefined) return ipam;
  throw new CniError(
    ErrorCode.InvalidConfig,
    'the configuration has no "ipam"',
    'Name a plugin that gives addresses: {"ipam": {"type": "host-local", …}}.',
  );
}

/** What IPAM gives. Code 7 without IPAM, code 100 without address. */
export function leaseFrom(
  { ipam, rawConfig }: AddRequest<unknown>,
  undo: Undo,
): Result & { readonly ips: readonly IpConfig[] } {
  const result = requireIpam(ipam).add(undo);
  if (result.ips !== undefined && result.ips.length > 0) return { ...result, ips: result.ips };
  const section = rawConfig["ipam"];
  const type = isObject(section) ? section["type"] : undefined;
  throw new CniError(
    ErrorCode.Plugin,
    "IPAM plugin returned missing IP config",
    `It is ${type}: see why it gave no address.`,
  );
}
