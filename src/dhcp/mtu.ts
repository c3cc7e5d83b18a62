import { setLink } from "../netlink/link.ts";
import type { Reached } from "./container-interface.ts";
import { errorLine } from "./failure.ts";
import type { Log } from "./log.ts";

/** IPv6 leaves a link with less than 1280 bytes (RFC 8200, section 5); less than 576 makes no sense (RFC 791). */
const LEAST = 576;
const LEAST_IPV6 = 1280;

/** Gives a link the MTU that a server told. What the link does not allow is no reason to refuse a lease. */
export function followMtu({ netns, link }: Reached, mtu: number, ipv6: boolean, log: Log): void {
  if (mtu === link.mtu) return;
  const stays = `${link.name} stays at MTU ${link.mtu}`;
  const least = ipv6 ? LEAST_IPV6 : LEAST;
  if (mtu < least) {
    log(`${stays}: the server's ${mtu} is below ${least}`);
    return;
  }
  try {
    netns.route.execute([setLink(link, { mtu })]);
  } catch (error) {
    log(`${stays}: ${errorLine(error)}`);
  }
}
