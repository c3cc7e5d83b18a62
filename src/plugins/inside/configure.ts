import { configureInterface } from "../../net/configure.ts";
import type { Namespace } from "../../net/namespace.ts";
import { type Link, setLink } from "../../netlink/link.ts";
import type { Dns, Result } from "../../spec/result.ts";
import { hasDns } from "../dns.ts";

/** What plugins have in common whose interface has no end on the host: macvlan, ipvlan, vlan, dummy, tap, host-device. */

interface Container {
  readonly config: { readonly dns?: Dns | undefined };
  readonly netns: Namespace;
  readonly ifName: string;
}

/**
 * Brings the container's interface up, with what was leased for it if anything was, and tells of both: it is the only
 * one in the result. A device that a program drives has no link.
 */
export function configureInside(
  { config, netns, ifName }: Container,
  link: Link | undefined,
  leased: Result | undefined,
): Result {
  const { ips = [], routes, dns } = leased ?? {};
  if (link && leased) configureInterface(netns, link, { ips, routes: routes ?? [] });
  else if (link) netns.route.execute([setLink(link, { up: true })]);
  const chosenDns = hasDns(config.dns) ? config.dns : dns;
  return {
    interfaces: [{ name: ifName, ...(link?.mac && { mac: `${link.mac}` }), sandbox: netns.path }],
    ...(leased && { ips: ips.map((ip) => ({ ...ip, interface: 0 })) }),
    ...(routes && { routes }),
    ...(chosenDns && { dns: chosenDns }),
  };
}
