import { writeSysctl } from "../../net/sysctl.ts";
import { setLink } from "../../netlink/link.ts";
import type { ContainerInterface } from "../container-interface.ts";

/**
 * Brings the interface up with a link-local address that can be used at once, and nothing else: addresses and routes
 * that the kernel made of router advertisements would be in the way of those that the plugin is going to set.
 * Throws InterfaceGone, SysError.
 */
export function prepareInterface(target: ContainerInterface): void {
  target.use(({ netns, link }) => {
    const set = (name: string, value: string) =>
      writeSysctl(netns, `net/ipv6/conf/${link.name}/${name}`, value);
    // What IPv6 has made of the link until now goes with this.
    set("disable_ipv6", "1");
    set("accept_ra", "0");
    set("autoconf", "0");
    set("accept_dad", "0");
    set("disable_ipv6", "0");
    netns.route.execute([setLink(link, { up: true })]);
  });
}
