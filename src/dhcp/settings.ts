import type { JsonObject } from "../spec/json.ts";
import type { Dns } from "../spec/result.ts";
import { decode, encode } from "../spec/results/v110.ts";
import type { Settings } from "./source.ts";

/** Settings as JSON: `ips`, `routes` and `dns` as in a result of 1.1.0, and the rest. */
export function settingsJson(settings: Settings): JsonObject {
  const { cniVersion: _, ...json } = encode(settings);
  const { mtu, deprecated } = settings;
  return { ...json, ...(mtu !== undefined && { mtu }), ...(deprecated && { deprecated }) };
}

/** Reads settings. CniError of code 6 if they are none. */
export function readSettings(json: JsonObject): Settings {
  const { ips, routes, dns } = decode(json);
  const { mtu, deprecated } = json;
  return {
    ...{ ips, routes, dns },
    ...(typeof mtu === "number" && { mtu }),
    ...(Array.isArray(deprecated) && { deprecated: deprecated.map(String) }),
  };
}

/** What several sources say, as the result of one ADD. */
export function resultJson(all: readonly Settings[]): JsonObject {
  const { mtu: _, ...result } = settingsJson({
    ips: all.flatMap(({ ips = [] }) => ips),
    routes: all.flatMap(({ routes = [] }) => routes),
    dns: joined(all.map(({ dns = {} }) => dns)),
  });
  return result;
}

/** The servers and search domains of all; there can be one domain only, which is the first. */
function joined(all: readonly Dns[]): Dns {
  const lists = (key: "nameservers" | "search" | "options") => [
    ...new Set(all.flatMap((dns) => dns[key] ?? [])),
  ];
  return {
    nameservers: lists("nameservers"),
    domain: all.find(({ domain }) => domain)?.domain,
    search: lists("search"),
    options: lists("options"),
  };
}

/** The addresses, for messages. */
export function addressesOf({ ips = [] }: Settings): string {
  return ips.length > 0 ? ips.map(({ address }) => address.toString()).join(", ") : "no address";
}
