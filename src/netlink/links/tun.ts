import type { Link } from "../link.ts";

/**
 * Tun and tap devices, which netlink tells of but cannot make: see net/tap.ts.
 * Wire: IFLA_TUN_* (linux/if_link.h).
 */

const IFLA_TUN_OWNER = 1;
const IFLA_TUN_GROUP = 2;
const IFLA_TUN_TYPE = 3;
const IFLA_TUN_PERSIST = 6;
const IFLA_TUN_MULTI_QUEUE = 7;
/** linux/if_tun.h */
const IFF_TAP = 2;

export interface Tun {
  /** Ethernet frames; else IP packets. */
  readonly tap: boolean;
  /** It stays when nobody has it open. */
  readonly persistent: boolean;
  readonly multiQueue: boolean;
  /** Numbers of the user and group that may open it; undefined if not only they. */
  readonly owner: number | undefined;
  readonly group: number | undefined;
}

/** Undefined if the link is no such device. */
export function readTun({ kind, kindData }: Link): Tun | undefined {
  if (kind !== "tun" || !kindData) return undefined;
  const data = kindData.attributes();
  return {
    tap: data.get(IFLA_TUN_TYPE)?.u8() === IFF_TAP,
    persistent: data.get(IFLA_TUN_PERSIST)?.u8() === 1,
    multiQueue: data.get(IFLA_TUN_MULTI_QUEUE)?.u8() === 1,
    owner: data.get(IFLA_TUN_OWNER)?.u32(),
    group: data.get(IFLA_TUN_GROUP)?.u32(),
  };
}
