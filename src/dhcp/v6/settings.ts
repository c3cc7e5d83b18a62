import { Cidr, parseCidr } from "../../address/cidr.ts";
import { type Ip, parseIp } from "../../address/ip.ts";
import type { Dns, IpConfig, Route } from "../../spec/result.ts";
import type { Fact, FactKind } from "../ra/facts.ts";
import type { Settings } from "../source.ts";
import { isLinkLocal } from "./address.ts";
import type { Autonomous } from "./autonomous.ts";

const RT_SCOPE_LINK = 253;
/** Resolvers look at three. */
const MAX_NAMESERVERS = 8;

/** What the settings for an interface are made of. */
export interface Parts {
  readonly facts: readonly Fact[];
  /** Addresses that were made by prefixes of the facts. */
  readonly autonomous: readonly Autonomous[];
  /** What DHCPv6 gave. */
  readonly leased?: Settings | undefined;
  readonly ifName: string;
  readonly priority?: number | undefined;
  /** The most that an MTU may be; undefined if no MTU is wished for. */
  readonly mtuLimit?: number | undefined;
}

/** Merges what routers and a DHCPv6 server said. */
export function mergedSettings({
  facts,
  autonomous,
  leased,
  ifName,
  priority,
  mtuLimit = 0,
}: Parts): Settings {
  const onLink = valuesOf(facts, "on-link").map((value) => parseCidr(value)!);
  const deprecated = autonomous.filter((address) => address.deprecated).map(({ ip }) => `${ip}`);
  const own = [...autonomous.map(({ ip }) => ip), ...(leased?.ips ?? []).map(({ address }) => address.ip)];
  const addresses = unique(own).map((ip) => new Cidr(ip, lengthOf(ip, onLink)));
  const routes = [...linkRoutes(onLink, addresses), ...gatewayRoutes(facts)];
  const mtus = valuesOf(facts, "mtu").map(Number);
  const mtu = Math.min(...mtus.filter((value) => value <= mtuLimit));
  const dns = mergedDns(facts, leased?.dns, ifName);
  return {
    ips: withGateway(addresses, routes),
    routes: priority === undefined ? routes : routes.map((route) => ({ ...route, priority })),
    ...(dns && { dns }),
    ...(deprecated.length > 0 && { deprecated }),
    ...(Number.isFinite(mtu) && { mtu }),
  };
}

/** What DHCP says comes first (RFC 8106, section 5.3.1). Undefined if nobody says anything. */
function mergedDns(facts: readonly Fact[], leased: Dns | undefined, ifName: string): Dns | undefined {
  const advertised = valuesOf(facts, "nameserver").map((server) => zoned(server, ifName));
  const nameservers = unique([...(leased?.nameservers ?? []), ...advertised]).slice(0, MAX_NAMESERVERS);
  const search = unique([...(leased?.search ?? []), ...valuesOf(facts, "domain")]);
  return nameservers.length + search.length > 0 ? { nameservers, search } : undefined;
}

/** Routers say which prefixes are on the link, DHCPv6 does not (RFC 8415, section 18.2.10.1). */
function lengthOf(ip: Ip, onLink: readonly Cidr[]): number {
  const lengths = onLink.filter((prefix) => prefix.contains(ip)).map(({ prefixLength }) => prefixLength);
  return lengths.length > 0 ? Math.max(...lengths) : 128;
}

/** To prefixes on the link that no address brings with it. */
function linkRoutes(onLink: readonly Cidr[], addresses: readonly Cidr[]): Route[] {
  return onLink
    .filter((prefix) => !addresses.some(({ network }) => network.equals(prefix)))
    .map((dst) => ({ dst, scope: RT_SCOPE_LINK }));
}

/** One way to each destination: by the router that is preferred, and among equals by that which was there first. */
function gatewayRoutes(facts: readonly Fact[]): Route[] {
  const best = new Map<string, Fact>();
  for (const fact of facts) {
    const other = best.get(fact.value);
    if (fact.kind === "route" && (other === undefined || other.preference < fact.preference))
      best.set(fact.value, fact);
  }
  return [...best.values()].map(({ value, router }) => ({ dst: parseCidr(value)!, gw: parseIp(router)! }));
}

/** Plugins send routes without a gateway by that of the addresses: with such routes it may not be named. */
function withGateway(addresses: readonly Cidr[], routes: readonly Route[]): IpConfig[] {
  const gateway = routes.every(({ gw }) => gw !== undefined)
    ? routes.find(({ dst }) => dst.prefixLength === 0)?.gw
    : undefined;
  return addresses.map((address) => ({ address, ...(gateway && { gateway }) }));
}

/** A link-local address means something together with its link only (RFC 4007, section 11). */
function zoned(server: string, ifName: string): string {
  return isLinkLocal(parseIp(server)!) ? `${server}%${ifName}` : server;
}

function valuesOf(facts: readonly Fact[], kind: FactKind): string[] {
  return facts.filter((fact) => fact.kind === kind).map(({ value }) => value);
}

/** Values with the same text once. */
function unique<T extends Ip | string>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [`${value}`, value])).values()];
}
