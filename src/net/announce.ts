import { type Link, setLink } from "../netlink/link.ts";
import type { Namespace } from "./namespace.ts";

/**
 * Has the kernel tell the neighbours whose a link's addresses are (arp_notify, ndisc_notify): it does when the link gets a
 * MAC address, also the one that it has. What it says when a link comes up, a bridge does not pass on, which learns of its
 * port's carrier a moment later; the neighbours would send to an address's last owner until they give that up, a minute at
 * worst.
 */
export function announceAddresses({ route }: Namespace, link: Pick<Link, "index" | "name" | "mac">): void {
  if (link.mac) route.execute([setLink(link, { mac: link.mac })]);
}
