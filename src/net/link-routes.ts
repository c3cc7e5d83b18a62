import { type Route, RTN_UNICAST } from "../netlink/route.ts";
import { partBy, type WholeRoute } from "../netlink/route-copy.ts";

const RTPROT_KERNEL = 2;

/** The routes by a link, but those that the kernel sees to by itself: to what is on this host, and to fe80::/10. */
export function routesBy(link: number, routes: readonly WholeRoute[]): WholeRoute[] {
  return routes.flatMap((route) => {
    const { type, protocol, dst } = route;
    const isKernels = (protocol === RTPROT_KERNEL && type !== RTN_UNICAST) || isLinkLocal(dst.ip.bytes);
    return isKernels ? [] : (partBy(link, route) ?? []);
  });
}

/** fe80::/10 (RFC 4291, section 2.5.6). */
function isLinkLocal(ip: Uint8Array): boolean {
  return ip.length === 16 && ip[0] === 0xfe && (ip[1]! & 0xc0) === 0x80;
}

/** The kernel wants to know the way to a gateway before what is behind it. */
export function gatewaysFirst(routes: readonly WholeRoute[]): WholeRoute[] {
  const isDirect = ({ gateway, nextHops }: WholeRoute) => !gateway && !nextHops;
  return [...routes.filter(isDirect), ...routes.filter((route) => !isDirect(route))];
}

/**
 * The source of a copied route, as a change of it: outside of the VRF's own table, the kernel refuses IPv4 routes whose
 * source is an address in the VRF ("Invalid prefsrc address").
 */
export function sourceFor({ dst }: Route, table: number, vrfTable: number | undefined): null | undefined {
  return vrfTable !== undefined && table !== vrfTable && dst.family === 4 ? null : undefined;
}
