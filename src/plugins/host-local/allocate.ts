import { Cidr } from "../../address/cidr.ts";
import { type Ip, parseIp } from "../../address/ip.ts";
import type { Attachment } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import type { IpConfig } from "../../spec/result.ts";
import { formatSet, type RangeSet, rangeOf, spansAfter } from "./range.ts";
import type { Candidate, Store } from "./store.ts";

/**
 * Reserves an address of each set for an attachment: the requested one that lies in the set, or the next. All or
 * none. Code 11 if a set has no address left, 7 if a requested one cannot be had, 100 if the attachment has one.
 */
export function allocate(
  store: Store,
  sets: readonly RangeSet[],
  { containerId, ifName }: Attachment,
  requested: readonly Ip[],
): IpConfig[] {
  const owner = { containerId, ifName };
  const wanted = assign(requested, sets);
  refuseSecond(store, sets, owner);
  const given: string[] = [];
  try {
    return sets.map((set, index) => {
      const candidate = choose(store, set, index, wanted[index]);
      store.reserve(owner, candidate);
      given.push(candidate.ip.toString());
      store.rememberLastReserved(index, candidate.ip);
      const { subnet, gateway } = rangeOf(set, candidate.ip)!;
      return { address: new Cidr(candidate.ip, subnet.prefixLength), gateway };
    });
  } catch (error) {
    store.release(owner, given);
    throw error;
  }
}

/** Gives each set the first requested address that lies in it. Code 7 if one is left over. */
function assign(requested: readonly Ip[], sets: readonly RangeSet[]): (Ip | undefined)[] {
  const left = [...requested];
  const wanted = sets.map((set) => {
    const at = left.findIndex((ip) => rangeOf(set, ip));
    return at < 0 ? undefined : left.splice(at, 1)[0];
  });
  if (left.length === 0) return wanted;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `failed to allocate all requested IPs: ${left.join(" ")}`,
    `One address of each range set is given; the sets are ${sets.map(formatSet).join(" and ")}.`,
  );
}

function refuseSecond(store: Store, sets: readonly RangeSet[], owner: Attachment): void {
  const held = store.find(owner);
  const dead = held.filter((address) => store.isDead(address));
  store.release(owner, dead);
  const inUse = held.find((address) => !dead.includes(address) && isIn(sets, address));
  if (inUse === undefined) return;
  throw new CniError(
    ErrorCode.Plugin,
    `${inUse} has been allocated to ${owner.containerId}, duplicate allocation is not allowed`,
    `Interface ${owner.ifName} of this container was added to the network before; DEL comes first.`,
  );
}

function isIn(sets: readonly RangeSet[], address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && sets.some((set) => rangeOf(set, ip));
}

function choose(store: Store, set: RangeSet, index: number, wanted: Ip | undefined): Candidate {
  if (wanted === undefined) {
    const candidate = store.findFree(spansAfter(set, store.lastReserved(index)));
    if (candidate) return candidate;
    throw new CniError(
      ErrorCode.TryAgainLater,
      `failed to allocate for range ${index}: no IP addresses available in range set: ${formatSet(set)}`,
      `All are reserved by the files in ${store.directory}. Remove containers, widen the range, or run GC ` +
        "for the network, which frees what belongs to no container.",
    );
  }
  const refuse = (why: string, details: string) =>
    new CniError(ErrorCode.InvalidConfig, `failed to allocate for range ${index}: ${why}`, details);
  if (rangeOf(set, wanted)!.gateway.equals(wanted))
    throw refuse(`requested ip ${wanted} is subnet's gateway`, "Ask for another address.");
  const candidate = store.candidate(wanted);
  if (candidate) return candidate;
  throw refuse(
    `requested IP address ${wanted} is not available in range set ${formatSet(set)}`,
    `${store.directory}/${wanted} says who holds it.`,
  );
}
