import { Writer } from "./codec.ts";
import { AF_INET } from "./family.ts";
import type { LinkRef } from "./link.ts";
import type { Request } from "./message.ts";

/**
 * IPv4 settings of one link, as under /proc/sys/net/ipv4/conf/LINK, without a file to open in its namespace.
 * Wire: IFLA_AF_SPEC with IFLA_INET_CONF (linux/if_link.h, linux/ip.h).
 */

const RTM_NEWLINK = 16;
const IFLA_AF_SPEC = 26;
const IFLA_INET_CONF = 1;
const IPV4_DEVCONF_PROMOTE_SECONDARIES = 20;
const IPV4_DEVCONF_ARP_NOTIFY = 22;
const IPV4_DEVCONF_ROUTE_LOCALNET = 26;

export interface Ipv4Settings {
  /** Tell the neighbours (gratuitous ARP) when the link comes up. */
  readonly arpNotify?: boolean;
  /** Packets from and to 127.0.0.0/8 may pass the link. */
  readonly routeLocalnet?: boolean;
  /** When the first address of a network goes, the next one takes its place, and does not go with it. */
  readonly promoteSecondaries?: boolean;
}

/** Equivalent to `sysctl net.ipv4.conf.LINK.arp_notify=1`, and its like. */
export function setIpv4(link: LinkRef, wish: Ipv4Settings): Request {
  const { arpNotify, routeLocalnet, promoteSecondaries } = wish;
  const body = new Writer().u32(0).u32(link.index).zeros(8);
  body.nest(IFLA_AF_SPEC, (families) =>
    families.nest(AF_INET, (inet) =>
      inet.nest(IFLA_INET_CONF, (settings) => {
        if (promoteSecondaries !== undefined)
          settings.u32Attribute(IPV4_DEVCONF_PROMOTE_SECONDARIES, Number(promoteSecondaries));
        if (arpNotify !== undefined) settings.u32Attribute(IPV4_DEVCONF_ARP_NOTIFY, Number(arpNotify));
        if (routeLocalnet !== undefined)
          settings.u32Attribute(IPV4_DEVCONF_ROUTE_LOCALNET, Number(routeLocalnet));
      }),
    ),
  );
  return { type: RTM_NEWLINK, flags: 0, body: body.finish(), what: `set IPv4 options of ${link.name}` };
}
