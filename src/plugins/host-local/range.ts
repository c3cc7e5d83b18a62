import type { Cidr } from "../../address/cidr.ts";
import type { Ip } from "../../address/ip.ts";
import type { IpRange } from "../../spec/capabilities/ip-ranges.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";

/** Addresses of one subnet that may be given, both ends included; the gateway among them is left out. */
export interface Range {
  readonly subnet: Cidr;
  readonly first: Ip;
  readonly last: Ip;
  readonly gateway: Ip;
}

/** Ranges of one family. An attachment gets one address of each set. */
export type RangeSet = readonly Range[];

/**
 * Checks the sets and fills in what was left out: the gateway is the subnet's first address, the range all of the
 * subnet but the network's own address and, in IPv4, the broadcast address. Code 7.
 */
export function rangeSets(configs: readonly (readonly IpRange[])[]): RangeSet[] {
  if (configs.length === 0)
    throw invalid("no IP ranges specified", `Give "ranges" or "subnet" in the network's "ipam".`);
  const sets = configs.map(rangeSet);
  for (let i = 0; i < sets.length; i++)
    for (let j = i + 1; j < sets.length; j++)
      if (sets[i]!.some((range) => sets[j]!.some((other) => overlap(range, other))))
        throw invalid(
          `range set ${i} overlaps with ${j}`,
          `${formatSet(sets[i]!)} and ${formatSet(sets[j]!)} share addresses.`,
        );
  return sets;
}

function rangeSet(configs: readonly IpRange[], index: number): RangeSet {
  const refuse = (why: string, details = "") => invalid(`invalid range set ${index}: ${why}`, details);
  if (configs.length === 0) throw refuse("empty range set");
  const set = configs.map((config) => range(config, refuse));
  for (const [i, one] of set.entries()) {
    if (one.subnet.family !== set[0]!.subnet.family)
      throw refuse("mixed address families", "IPv4 and IPv6 belong into sets of their own.");
    for (const other of set.slice(i + 1))
      if (overlap(one, other)) throw refuse(`subnets ${formatRange(one)} and ${formatRange(other)} overlap`);
  }
  return set;
}

function range(config: IpRange, refuse: (why: string, details?: string) => CniError): Range {
  const { subnet, rangeStart, rangeEnd } = config;
  const network = subnet.networkAddress;
  if (subnet.prefixLength > subnet.ip.bytes.length * 8 - 2)
    throw refuse(`Network ${subnet} too small to allocate from`);
  if (!subnet.ip.equals(network))
    throw refuse(
      `Network has host bits set. For a subnet mask of length ${subnet.prefixLength} the network address is ${network}`,
      `The subnet is ${subnet}.`,
    );
  const outside = (name: string, ip: Ip) => refuse(`${name} ${ip} not in network ${subnet}`);
  if (rangeStart && !subnet.contains(rangeStart)) throw outside("RangeStart", rangeStart);
  if (rangeEnd && !subnet.contains(rangeEnd)) throw outside("RangeEnd", rangeEnd);
  if (rangeStart && rangeEnd && rangeStart.compare(rangeEnd) > 0)
    throw refuse(`RangeStart ${rangeStart} not in network ${subnet}`, `It lies behind RangeEnd ${rangeEnd}.`);
  return {
    subnet,
    first: rangeStart ?? network.plus(1),
    last: rangeEnd ?? (subnet.family === 4 ? subnet.lastAddress.plus(-1) : subnet.lastAddress),
    gateway: config.gateway ?? network.plus(1),
  };
}

/** The range that holds `ip`. */
export function rangeOf(set: RangeSet, ip: Ip): Range | undefined {
  return set.find(
    ({ first, last }) => ip.family === first.family && ip.compare(first) >= 0 && ip.compare(last) <= 0,
  );
}

function overlap(a: Range, b: Range): boolean {
  return a.first.family === b.first.family && a.first.compare(b.last) <= 0 && b.first.compare(a.last) <= 0;
}

/** As 10.1.0.1-10.1.0.254,10.2.0.1-10.2.0.254. */
export function formatSet(set: RangeSet): string {
  return set.map(formatRange).join(",");
}

function formatRange({ first, last }: Range): string {
  return `${first}-${last}`;
}

/** Neighbouring addresses, both ends included. */
export interface Span {
  readonly from: Ip;
  readonly to: Ip;
  readonly gateway: Ip;
}

/** All addresses of the set once, in the order in which they are tried: round robin, after `last` first. */
export function spansAfter(set: RangeSet, last: Ip | undefined): Span[] {
  const spans = set.map(({ first: from, last: to, gateway }) => ({ from, to, gateway }));
  const range = last && rangeOf(set, last);
  if (!range) return spans;
  const index = set.indexOf(range);
  const { from, to, gateway } = spans[index]!;
  const rest = last.equals(to) ? [] : [{ from: last.plus(1), to, gateway }];
  return [...rest, ...spans.slice(index + 1), ...spans.slice(0, index), { from, to: last, gateway }];
}

function invalid(msg: string, details = ""): CniError {
  return new CniError(ErrorCode.InvalidConfig, msg, details);
}
