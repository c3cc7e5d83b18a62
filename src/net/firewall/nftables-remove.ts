/** Taking away what attachments have in the firewall's sets: DEL knows one, GC all that are not to stay. */
import type { Cidr } from "../../address/cidr.ts";
import { errno } from "../../host/errno.ts";
import type { Host } from "../../host/host.ts";
import { isNetlinkErrno } from "../../netlink/error.ts";
import type { Request } from "../../netlink/message.ts";
import { batch, readGeneration } from "../../netlink/nftables/batch.ts";
import { countUses, deleteChain } from "../../netlink/nftables/chain.ts";
import {
  addElements,
  deleteElements,
  type Element,
  getElement,
  listElements,
} from "../../netlink/nftables/element.ts";
import type { Verdict } from "../../netlink/nftables/expressions.ts";
import { whereNftables } from "../../netlink/nftables/support.ts";
import { getTable } from "../../netlink/nftables/table.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { networkHash, ownerHash } from "../masquerade/owner.ts";
import type { Namespace } from "../namespace.ts";
import type { Owner } from "../owned.ts";
import {
  ATTACHMENTS,
  addressSet,
  attachmentKey,
  bridgeEntries,
  type Claim,
  countingChain,
  PORTS,
  SWITCHED_FORWARD,
  sharedSet,
  TABLE,
} from "./nftables.ts";

/** How often others may change what we have just read. */
const ATTEMPTS = 20;
const FAMILIES = [4, 6] as const;

/** What was found of some attachments, and perhaps of others. */
interface Found {
  /** A family that nobody asks for is left out. */
  readonly addresses: { readonly [family in 4 | 6]?: readonly Element[] };
  readonly claims: readonly Element[];
}

/** Whether an element belongs to an attachment that is to be removed, by its comment. */
type IsMeant = (element: Element) => boolean;

/**
 * Takes away what the attachment has; nothing is fine. Gives whether there was anything. With its `addresses`, only
 * their elements are read, else all. What others have too stays.
 */
export function removeFromNftables(netns: Namespace, owner: Owner, addresses: readonly Cidr[] = []): boolean {
  const hash = ownerHash(netns.host, owner);
  const keys = (["bridge", "isolated"] as const).map((claim) => attachmentKey(netns.host, owner, claim));
  const find = (netfilter: NetlinkSocket): Found => ({
    addresses: addresses.length > 0 ? byKey(netfilter, addresses) : byMention(netfilter, hash),
    claims: keys.flatMap((key) => netfilter.query(getElement(ATTACHMENTS, key)) ?? []),
  });
  return remove(
    netns,
    find,
    hash,
    (element) => isStaying(element) && element.comment?.startsWith(hash) === true,
  );
}

/** Takes away what the network's attachments have, but for the valid ones. */
export function collectFromNftables(
  netns: Namespace,
  network: string,
  validAttachments: readonly Omit<Owner, "network">[],
): void {
  const { host } = netns;
  const hash = networkHash(host, network);
  const valid = new Set(validAttachments.map((attachment) => ownerHash(host, { ...attachment, network })));
  const find = (netfilter: NetlinkSocket): Found => ({
    addresses: byMention(netfilter, hash),
    claims: netfilter.dump(listElements(ATTACHMENTS, hash)).flat(),
  });
  const isMeant = (element: Element) => {
    const { comment = "" } = element;
    return (
      isStaying(element) && comment.startsWith(hash) && !valid.has(comment.slice(0, comment.indexOf(",")))
    );
  };
  remove(netns, find, hash, isMeant);
}

/** Removes what is meant, in one transaction. */
function remove(
  netns: Namespace,
  find: (netfilter: NetlinkSocket) => Found,
  mention: string,
  isMeant: IsMeant,
): boolean {
  let found = false;
  const canExpire = hasTimeoutUpdates(netns.host);
  whereNftables(netns, (netfilter) => {
    for (let attempt = 1; ; attempt++) {
      // Who shares an address, and who is the last on a bridge, is true only as long as nobody changes it.
      const generation = netfilter.query(readGeneration());
      const requests = netfilter.query(getTable(TABLE))
        ? release(netfilter, find(netfilter), mention, isMeant, canExpire)
        : // Somebody has deleted the one table and not the other.
          releasePorts(netfilter, mention, isMeant);
      if (requests.length === 0) return;
      found = true;
      try {
        netfilter.execute(batch(requests, generation));
        return;
      } catch (error) {
        if (!isNetlinkErrno(error, errno.ERESTART, errno.ENOENT) || attempt === ATTEMPTS) throw error;
      }
    }
  });
  return found;
}

function release(
  netfilter: NetlinkSocket,
  { addresses, claims }: Found,
  mention: string,
  isMeant: IsMeant,
  canExpire: boolean,
): Request[] {
  return [
    ...FAMILIES.flatMap((family) =>
      releaseAddresses(netfilter, family, addresses[family], isMeant, canExpire),
    ),
    ...releaseBridges(netfilter, claims.filter(isMeant), mention, isMeant),
  ];
}

/**
 * An address that others have too becomes theirs, the rest goes. To delete an element costs a grace period of 10 to 20 ms,
 * for which closing the socket waits; what ends by itself costs none.
 * `elements` is undefined for a family that is not asked for.
 */
function releaseAddresses(
  netfilter: NetlinkSocket,
  family: 4 | 6,
  elements: readonly Element[] | undefined,
  isMeant: IsMeant,
  canExpire: boolean,
): Request[] {
  if (elements === undefined) return [];
  const [addresses, shared] = [addressSet(family), sharedSet(family)];
  const further = netfilter.dump(listElements(shared)).flat();
  const requests = further.filter(isMeant).map(({ key }) => deleteElements(shared, [{ key }]));
  for (const { key } of elements.filter(isMeant)) {
    const heir = further.find((other) => !isMeant(other) && key.every((byte, at) => byte === other.key[at]));
    if (heir)
      requests.push(
        deleteElements(addresses, [{ key }]),
        addElements(addresses, [{ key, comment: heir.comment ?? "" }]),
        deleteElements(shared, [{ key: heir.key }]),
      );
    else
      requests.push(
        canExpire ? addElements(addresses, [{ key, timeoutMs: 1 }]) : deleteElements(addresses, [{ key }]),
      );
  }
  return requests;
}

/** The last one takes the bridge's entries along. */
function releaseBridges(
  netfilter: NetlinkSocket,
  claims: readonly Element[],
  mention: string,
  isMeant: IsMeant,
): Request[] {
  const requests = claims.map(({ key }) => deleteElements(ATTACHMENTS, [{ key }]));
  const names = claims.map(({ data }) => (data as Verdict).chain ?? "");
  if (names.some((name) => name.startsWith(countingChain("isolated", "").name)))
    requests.push(...releasePorts(netfilter, mention, isMeant));
  for (const name of new Set(names)) {
    const dash = name.indexOf("-");
    const [claim, bridge] = [name.slice(0, dash) as Claim, name.slice(dash + 1)];
    const chain = countingChain(claim, bridge);
    if (netfilter.query(countUses(chain)) !== names.filter((other) => other === name).length) continue;
    // Added before, in case that somebody has deleted it: else all of this would be refused.
    for (const [set, element] of bridgeEntries(claim, bridge))
      requests.push(addElements(set, [element]), deleteElements(set, [element]));
    requests.push(deleteChain(chain));
  }
  return requests;
}

function releasePorts(netfilter: NetlinkSocket, mention: string, isMeant: IsMeant): Request[] {
  if (netfilter.query(countUses(SWITCHED_FORWARD)) === undefined) return [];
  const ports = netfilter.dump(listElements(PORTS, mention)).flat().filter(isMeant);
  return ports.map(({ key }) => deleteElements(PORTS, [{ key }]));
}

function byKey(netfilter: NetlinkSocket, addresses: readonly Cidr[]): Found["addresses"] {
  const found: { [family in 4 | 6]?: Element[] } = {};
  for (const { family, ip } of addresses) {
    found[family] ??= [];
    const element = netfilter.query(getElement(addressSet(family), ip.bytes));
    if (element) found[family].push(element);
  }
  return found;
}

function byMention(netfilter: NetlinkSocket, mention: string): Found["addresses"] {
  const list = (family: 4 | 6) => netfilter.dump(listElements(addressSet(family), mention)).flat();
  return { 4: list(4), 6: list(6) };
}

/** Others have been removed already, and end within a tick. */
function isStaying({ timeoutMs = 0 }: Element): boolean {
  return timeoutMs === 0;
}

/** Whether the kernel (6.12) changes the timeouts of elements that are there, as it takes to let them end. */
function hasTimeoutUpdates(host: Host): boolean {
  const [major = 0, minor = 0] = host
    .readFile("/proc/sys/kernel/osrelease")
    .split(".")
    .map(Number.parseFloat);
  return major > 6 || (major === 6 && minor >= 12);
}
