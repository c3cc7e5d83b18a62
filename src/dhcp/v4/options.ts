import { Cidr, everywhere } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import { WireError } from "../../netlink/codec.ts";
import type { Dns } from "../../spec/result.ts";
import { BytesReader, printable } from "../bytes.ts";
import { decodeNames, isDomainName } from "../domain-name.ts";
import type { Wish } from "../protocol.ts";
import type { Settings } from "../source.ts";
import { classOf, isBroadcast, isHost } from "./address.ts";
import type { Message } from "./message.ts";
import { classfulRoutes, classlessRoutes, usableRoutes } from "./routes.ts";

/** Codes of options: RFC 2132; DomainSearch RFC 3397, ClasslessRoutes RFC 3442. */
export const Option = {
  SubnetMask: 1,
  Router: 3,
  DomainNameServer: 6,
  DomainName: 15,
  InterfaceMtu: 26,
  StaticRoute: 33,
  RequestedAddress: 50,
  LeaseTime: 51,
  MessageType: 53,
  ServerId: 54,
  ParameterRequestList: 55,
  Message: 56,
  MaxMessageSize: 57,
  RenewalTime: 58,
  RebindingTime: 59,
  ClientId: 61,
  DomainSearch: 119,
  ClasslessRoutes: 121,
} as const;

/** RFC 2132, section 9.6. */
export const MessageType = {
  Discover: 1,
  Offer: 2,
  Request: 3,
  Decline: 4,
  Ack: 5,
  Nak: 6,
  Release: 7,
} as const;

/** What is asked for by default. The classless routes must come before those that they replace (RFC 3442). */
export const DEFAULT_REQUEST: readonly number[] = [
  Option.SubnetMask,
  Option.ClasslessRoutes,
  Option.StaticRoute,
  Option.Router,
  Option.DomainNameServer,
  Option.DomainName,
  Option.DomainSearch,
  Option.InterfaceMtu,
  Option.RenewalTime,
  Option.RebindingTime,
];

/** Where a server tells no time for a lease. */
const DEFAULT_LEASE_MS = 3_600_000;
const INFINITE = 0xffffffff;
/** What every host takes (RFC 791): less is a server's mistake. */
const MIN_MTU = 576;

/** Undefined for a message of BOOTP, which is no DHCP. */
export function messageType({ options }: Message): number | undefined {
  const value = options.get(Option.MessageType);
  return value?.length === 1 ? value[0] : undefined;
}

export function serverId({ options }: Message): Ip | undefined {
  const value = options.get(Option.ServerId);
  const ip = value?.length === 4 ? new Ip(value.slice()) : undefined;
  return ip && isHost(ip) ? ip : undefined;
}

/** Why a server refused, in its words; "" if it says nothing. What is no printable ASCII becomes `?`. */
export function messageText({ options }: Message): string {
  return textOf(options.get(Option.Message) ?? new Uint8Array());
}

/** Milliseconds from now. */
export interface LeaseTimes {
  readonly lease: number;
  /** T1 and T2: when this server, and when any server, is asked to extend the lease. */
  readonly renew: number;
  readonly rebind: number;
}

/** Infinity where there is no end. T1 and T2 that are missing or make no sense are those of RFC 2131, section 4.4.5. */
export function leaseTimes(message: Message): LeaseTimes {
  const lease = duration(message, Option.LeaseTime) || DEFAULT_LEASE_MS;
  const renew = duration(message, Option.RenewalTime) || lease / 2;
  const rebind = duration(message, Option.RebindingTime) || (lease * 7) / 8;
  return renew < rebind && rebind < lease
    ? { lease, renew, rebind }
    : { lease, renew: lease / 2, rebind: (lease * 7) / 8 };
}

/** 0 where it is missing. */
function duration({ options }: Message, code: number): number {
  const value = options.get(code);
  if (value?.length !== 4) return 0;
  const seconds = new BytesReader(value).u32();
  return seconds === INFINITE ? Number.POSITIVE_INFINITY : seconds * 1000;
}

/**
 * What an ACK, or an OFFER, says that the interface is to have. Options that make no sense are left out, which `log` is
 * told. Throws WireError if the address makes none.
 */
export function settingsOf(
  ack: Message,
  { priority, mtu }: Pick<Wish, "priority" | "mtu">,
  log: (text: string) => void,
): Settings {
  const option = <T>(code: number, decode: (value: BytesReader) => T): T | undefined => {
    const value = ack.options.get(code);
    if (value === undefined) return undefined;
    try {
      return decode(new BytesReader(value));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      log(`option ${code} is left out: ${error.message}`);
      return undefined;
    }
  };
  const ip = ack.yiaddr;
  const address = new Cidr(ip, option(Option.SubnetMask, prefixLengthOf) ?? classOf(ip));
  if (!isHost(ip) || isBroadcast(ip, address)) throw new WireError(`${address} is no address for a host`);
  const told = option(Option.ClasslessRoutes, classlessRoutes) ?? [
    ...(option(Option.StaticRoute, classfulRoutes) ?? []),
    ...(option(Option.Router, hosts)?.slice(0, 1) ?? []).map((gw) => ({ dst: everywhere(4), gw })),
  ];
  const routes = usableRoutes(told, address, priority, log);
  const nameservers = option(Option.DomainNameServer, hosts)?.map(String);
  const domain = option(Option.DomainName, domainName);
  const search = option(Option.DomainSearch, (value) => decodeNames(value.rest(), true));
  return {
    ips: [{ address, gateway: routes.find(({ dst }) => dst.prefixLength === 0)?.gw }],
    routes,
    dns: dnsOf({ nameservers, domain, search }),
    mtu: mtu ? option(Option.InterfaceMtu, mtuOf) : undefined,
  };
}

/** Of a mask whose bits are contiguous. */
function prefixLengthOf(value: BytesReader): number {
  const mask = onlyThing(value, 4).u32();
  const hostBits = ~mask >>> 0;
  if (mask === 0 || hostBits & (hostBits + 1)) throw new WireError(`a mask of 0x${mask.toString(16)}`);
  return Math.clz32(hostBits);
}

function mtuOf(value: BytesReader): number {
  const mtu = onlyThing(value, 2).u16();
  if (mtu < MIN_MTU) throw new WireError(`an MTU of ${mtu}`);
  return mtu;
}

/** Servers fill up lists with 0.0.0.0. */
function hosts(value: BytesReader): Ip[] {
  const ips: Ip[] = [];
  while (value.remaining > 0) ips.push(value.ip(4));
  return ips.filter(isHost);
}

/** Some servers write a dot behind it. */
function domainName(value: BytesReader): string {
  const name = textOf(value.rest()).replace(/\.$/, "");
  if (!isDomainName(name)) throw new WireError(`"${name}" is no domain name`);
  return name;
}

function dnsOf(dns: Dns): Dns | undefined {
  return dns.nameservers?.length || dns.domain || dns.search?.length ? dns : undefined;
}

function onlyThing(value: BytesReader, size: number): BytesReader {
  if (value.remaining !== size) throw new WireError(`${value.remaining} bytes instead of ${size}`);
  return value;
}

/** Up to a NUL, which some servers write behind. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return printable(end < 0 ? bytes : bytes.subarray(0, end));
}
