import { Cidr } from "../address/cidr.ts";
import { Ip } from "../address/ip.ts";
import { errno } from "../host/errno.ts";
import { setIpv4 } from "../netlink/devconf.ts";
import { isNetlinkErrno } from "../netlink/error.ts";
import { lookUpRoute } from "../netlink/route-list.ts";
import type { PortForwardWish } from "./hostports/wish.ts";
import type { Namespace } from "./namespace.ts";

/**
 * Lets the host's own connections to 127.0.0.1 leave by the link behind which a container is: they have that address
 * when they are routed, before they get another source. It stays so: other containers need it too.
 */
export function routeLocalnet(netns: Namespace, container: Ip): void {
  const index = linkTo(netns, container);
  if (index === undefined) return;
  netns.route.execute([setIpv4({ index, name: `the link to ${container}` }, { routeLocalnet: true })]);
}

/** The container's address to which connections to 127.0.0.1 are forwarded; undefined if none are. */
export function loopbackTarget({ snat, mappings, addresses }: PortForwardWish): Ip | undefined {
  const loopback = new Cidr(new Ip(Uint8Array.of(127, 0, 0, 0)), 8);
  const anywhere = new Ip(new Uint8Array(4));
  const isForwarded = mappings.some(
    ({ hostIP = anywhere }) => hostIP.equals(anywhere) || loopback.contains(hostIP),
  );
  return snat && isForwarded ? addresses.find(({ family }) => family === 4)?.ip : undefined;
}

/** The index of the link by which the host reaches an address; undefined if it does not. */
export function linkTo({ route }: Namespace, ip: Ip): number | undefined {
  try {
    return route.query(lookUpRoute(ip))?.link;
  } catch (error) {
    if (isNetlinkErrno(error, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL)) return undefined;
    throw error;
  }
}
