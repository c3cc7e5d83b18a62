import { type Ip, parseIp } from "../../address/ip.ts";
import { parseMac } from "../../address/mac.ts";
import type { Lease, SourceContext } from "../source.ts";
import type { Message } from "./message.ts";
import { leaseTimes, settingsOf } from "./options.ts";
import { jittered } from "./pauses.ts";
import type { Peer } from "./transport.ts";

/** A lease, and what one must know to extend and to end it. */
export interface Held {
  readonly lease: Lease;
  readonly address: Ip;
  /** Who gave it, and the way to him. */
  readonly server: Peer;
  /** T2: when any server is asked to extend it. */
  readonly rebindAt: number;
}

/** What an ACK gives; `since`: when it was asked for. Throws WireError if the address makes no sense. */
export function leaseOf(
  ack: Message,
  server: Peer,
  since: number,
  { host, wish }: Pick<SourceContext, "host" | "wish">,
  log: (text: string) => void,
): Held {
  const times = leaseTimes(ack);
  const address = ack.yiaddr;
  const rebindAt = since + times.rebind;
  const lease: Lease = {
    settings: settingsOf(ack, wish, log),
    // Containers that were started at once need not renew at once (RFC 2131, section 4.4.5).
    renewAt: Math.min(since + jittered(host, times.renew, 0.025), rebindAt),
    expiresAt: since + times.lease,
    memory: { address: String(address), server: String(server.ip), via: String(server.mac), rebindAt },
  };
  return { lease, address, server, rebindAt };
}

/** What is known of a lease that another process had. Undefined if that is not enough. */
export function heldOf(lease: Lease): Held | undefined {
  const { address, server, via, rebindAt } = lease.memory;
  const [own, ip, mac] = [parseIp(String(address)), parseIp(String(server)), parseMac(String(via))];
  if (own?.family !== 4 || ip?.family !== 4 || !mac) return undefined;
  // JSON has no Infinity.
  const rebind = typeof rebindAt === "number" ? rebindAt : lease.expiresAt;
  return { lease, address: own, server: { ip, mac }, rebindAt: rebind };
}
