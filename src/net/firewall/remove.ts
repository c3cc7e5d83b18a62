import { type Cidr, hostCidr } from "../../address/cidr.ts";
import { networkHash, ownerHash } from "../masquerade/owner.ts";
import type { Namespace } from "../namespace.ts";
import { withNamespaceLock } from "../namespace-lock.ts";
import type { Owner } from "../owned.ts";
import { removeFromIptables } from "./iptables-remove.ts";
import { collectFromNftables, removeFromNftables } from "./nftables-remove.ts";
import { type AddressRecord, listRecords, removeRecords } from "./records.ts";

/** Takes addresses out of firewalld, where it may be running. */
export type Distrust = ((addresses: readonly Cidr[]) => void) | undefined;

/**
 * Takes away what the firewall has for an attachment, whichever backend made it; nothing is fine. `addresses`, if known,
 * tell which rules of iptables and firewalld are the attachment's where no record does.
 */
export function removeFromFirewall(
  netns: Namespace,
  owner: Owner,
  addresses: readonly Cidr[],
  distrust: Distrust,
): void {
  const hash = ownerHash(netns.host, owner);
  const isOurs = (record: AddressRecord) => record.owner === hash;
  // Of what was made by nftables, iptables has nothing; what it has for such an address is another one's.
  const isKnown = removeFromNftables(netns, owner, addresses);
  removeByAddress(netns, isOurs, isKnown ? [] : addresses, distrust);
}

/** Takes away what it has for the network's attachments, but for the valid ones. Of rules without record nobody knows whose they are. */
export function collectFromFirewall(
  netns: Namespace,
  network: string,
  validAttachments: readonly Omit<Owner, "network">[],
  distrust: Distrust,
): void {
  const { host } = netns;
  collectFromNftables(netns, network, validAttachments);
  const prefix = networkHash(host, network);
  const valid = new Set(validAttachments.map((attachment) => ownerHash(host, { ...attachment, network })));
  // An attachment that the reference has added is not written down: it may have an address that is written down as that
  // of one whose DEL was the reference's too.
  const known = new Set(listRecords(host).map(({ owner }) => owner));
  if ([...valid].some((owner) => !known.has(owner))) return;
  removeByAddress(netns, ({ owner }) => owner.startsWith(`${prefix}-`) && !valid.has(owner), [], distrust);
}

/** What others have written down as theirs stays. */
function removeByAddress(
  netns: Namespace,
  isOurs: (record: AddressRecord) => boolean,
  addresses: readonly Cidr[],
  distrust: Distrust,
): void {
  const { host } = netns;
  if (addresses.length === 0 && !listRecords(host).some(isOurs)) return;
  withNamespaceLock(netns, () => {
    const records = listRecords(host);
    const ours = records.filter(isOurs);
    const held = new Set(records.filter((record) => !isOurs(record)).map(({ ip }) => `${ip}`));
    const all = new Map([...addresses, ...ours].map(({ ip }) => [`${ip}`, hostCidr(ip)]));
    const released = [...all].filter(([text]) => !held.has(text)).map(([, address]) => address);
    removeFromIptables(netns, released);
    distrust?.(released);
    removeRecords(host, ours);
  });
}
