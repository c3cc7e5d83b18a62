import { Cidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import { WireError } from "../../netlink/codec.ts";
import type { Route } from "../../spec/result.ts";
import type { BytesReader } from "../bytes.ts";
import { classOf, isBroadcast, isHost } from "./address.ts";

const RT_SCOPE_LINK = 253;

/** Pairs of a network, whose class says its size, and a router. A default route is not allowed here. */
export function classfulRoutes(value: BytesReader): Route[] {
  const routes: Route[] = [];
  while (value.remaining > 0) {
    const [ip, gw] = [value.ip(4), value.ip(4)];
    routes.push({ dst: new Cidr(ip, classOf(ip)).network, gw });
  }
  return routes.filter(({ dst }) => isHost(dst.ip));
}

/** A prefix length, as many bytes of the network as it has, a router. Without `gw`: it is on the link. */
export function classlessRoutes(value: BytesReader): Route[] {
  const routes: Route[] = [];
  do {
    const prefixLength = value.u8();
    if (prefixLength > 32) throw new WireError(`a prefix of ${prefixLength} bits`);
    const bytes = new Uint8Array(4);
    bytes.set(value.bytes(Math.ceil(prefixLength / 8)));
    const dst = new Cidr(new Ip(bytes), prefixLength).network;
    const gw = value.ip(4);
    routes.push(gw.bytes.some((byte) => byte !== 0) ? { dst, gw } : { dst });
  } while (value.remaining > 0);
  return routes;
}

/** As the kernel takes them: one to each destination; what is on the link, and gateways that must be, come first. */
export function usableRoutes(
  told: readonly Route[],
  own: Cidr,
  priority: number | undefined,
  log: (text: string) => void,
): Route[] {
  const isUsable = ({ gw }: Route) =>
    gw === undefined || (isHost(gw) && !gw.equals(own.ip) && !isBroadcast(gw, own));
  const usable = told.filter(isUsable);
  const useless = told.find((route) => !isUsable(route));
  // One line, however many there are.
  if (useless) log(`the route to ${useless.dst} is left out: ${useless.gw} is no gateway`);
  const onLink = usable.flatMap(({ dst, gw }) => {
    if (gw === undefined) return [dst];
    return own.contains(gw) ? [] : [new Cidr(gw, 32)];
  });
  const all: Route[] = [
    ...onLink.map((dst) => ({ dst, scope: RT_SCOPE_LINK, priority })),
    ...usable.filter(({ gw }) => gw !== undefined).map((route) => ({ ...route, priority })),
  ];
  const routes = new Map<string, Route>();
  for (const route of all) if (!routes.has(String(route.dst))) routes.set(String(route.dst), route);
  return [...routes.values()];
}
