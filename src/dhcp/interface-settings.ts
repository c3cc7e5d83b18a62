import { SysError } from "../host/host.ts";
import { reconfigure } from "../net/reconfigure.ts";
import { listAddresses } from "../netlink/address.ts";
import { IFA_F_DEPRECATED, preferAddress } from "../netlink/address-preference.ts";
import { setLink } from "../netlink/link.ts";
import { announce } from "./announce.ts";
import type { Reached } from "./container-interface.ts";
import { errorLine } from "./failure.ts";
import type { Log } from "./log.ts";
import type { Wish } from "./protocol.ts";
import { addressesOf } from "./settings.ts";
import type { Settings } from "./source.ts";

/** IPv6 leaves a link with less than 1280 bytes (RFC 8200, section 5); less than 576 makes no sense (RFC 791). */
const LEAST_MTU = 576;
const LEAST_IPV6_MTU = 1280;

/** Does what a plugin leaves to the daemon, before the plugin gives the interface its addresses and routes. */
export function prepareInterface(reached: Reached, settings: Settings, wish: Wish, log: Log): void {
  followMtu(reached, settings.mtu, wish, log);
  tellNeighbours(reached, {}, settings, log);
}

/** Gives the interface, which has had `before`, what it is to have by now. Throws NetlinkError. */
export function changeInterface(
  reached: Reached,
  [before, after]: readonly [Settings, Settings],
  wish: Wish,
  log: Log,
): void {
  if (after.mtu !== before.mtu) followMtu(reached, after.mtu, wish, log);
  reconfigure(reached.netns, reached.link, before, after);
  if (before.deprecated || after.deprecated) followPreference(reached, after);
  tellNeighbours(reached, before, after, log);
}

/** Of the addresses that are there still. */
function followPreference({ netns, link }: Reached, { ips = [], deprecated = [] }: Settings): void {
  for (const { cidr, flags } of netns.route.dump(listAddresses({ link: link.index, family: 6 }))) {
    const preferred = !deprecated.includes(`${cidr.ip}`);
    const was = (flags & IFA_F_DEPRECATED) === 0;
    if (preferred !== was && ips.some(({ address }) => address.equals(cidr)))
      netns.route.execute([preferAddress(link, cidr, preferred)]);
  }
}

/** What the link does not allow is no reason to refuse a lease. */
function followMtu({ netns, link }: Reached, mtu: number | undefined, wish: Wish, log: Log): void {
  if (!wish.mtu || mtu === undefined || mtu === link.mtu) return;
  const stays = `${link.name} stays at MTU ${link.mtu}`;
  const least = wish.ipv6 === "none" ? LEAST_MTU : LEAST_IPV6_MTU;
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

/** They may remember who has had the new addresses before. */
function tellNeighbours(reached: Reached, before: Settings, after: Settings, log: Log): void {
  const known = new Set(before.ips?.map(({ address }) => `${address.ip}`));
  const fresh = after.ips?.map(({ address }) => address.ip).filter((ip) => !known.has(`${ip}`)) ?? [];
  try {
    announce(reached, fresh);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    log(`the neighbours are not told of ${addressesOf(after)}: ${errorLine(error)}`);
  }
}
