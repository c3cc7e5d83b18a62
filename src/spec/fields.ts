import type { Dns, Route } from "./result.ts";
import { array, cidr, integer, ip, object, optional, type Schema, string } from "./schema.ts";

// Schemas of what configurations and results share.

/** A route. `mtu`, `advmss` and `priority` of 0 are the kernel's choice; `table` and `scope` of 0 are 0. */
export function route(): Schema<Route> {
  return object({
    dst: cidr(),
    gw: optional(ip()),
    mtu: optional(integer(0)),
    advmss: optional(integer(0)),
    priority: optional(integer(0)),
    table: optional(integer(0)),
    scope: optional(integer(0, 255)),
  });
}

/** The `dns` of a configuration or result. */
export function dns(): Schema<Dns> {
  return object({
    nameservers: optional(array(string())),
    domain: optional(string()),
    search: optional(array(string())),
    options: optional(array(string())),
  });
}
