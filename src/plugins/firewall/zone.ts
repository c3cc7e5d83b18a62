import type { FirewallConfig } from "./config.ts";

/** The zone of firewalld whose sources the containers' addresses become. */
export function zoneOf({ firewalldZone }: FirewallConfig): string {
  return firewalldZone || "trusted";
}
