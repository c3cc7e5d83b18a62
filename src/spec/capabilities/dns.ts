import { array, object, optional, type Schema, string } from "../schema.ts";

/** What the container's resolver shall use. Note the names: a configuration's `dns` says nameservers and search. */
export interface DnsCapability {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** The capability `dns`. */
export function dnsCapability(): Schema<DnsCapability> {
  const texts = optional(array(string()), []);
  return object({ servers: texts, searches: texts, options: texts });
}
