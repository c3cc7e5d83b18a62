import { Cidr } from "../../address/cidr.ts";
import { Ip } from "../../address/ip.ts";
import { Reader, WireError, Writer } from "../../netlink/codec.ts";
import { decodeNames } from "../domain-name.ts";
import { isLinkLocal, isUnicast } from "../v6/address.ts";

/** Router Solicitations and Advertisements (RFC 4861, sections 4.1 and 4.2). Lifetimes in seconds; Infinity without end. */

const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;

const SOURCE_LINK_LAYER_ADDRESS = 1;
const PREFIX_INFORMATION = 3;
const MTU = 5;
/** RFC 4191, section 2.3. */
const ROUTE_INFORMATION = 24;
/** RFC 8106, sections 5.1 and 5.2. */
const RDNSS = 25;
const DNSSL = 31;

/** Type, code, checksum, hop limit, flags, router lifetime, reachable time, retransmission time. */
const HEADER = 16;
const MANAGED = 0x80;
const OTHER = 0x40;
const ON_LINK = 0x80;
const AUTONOMOUS = 0x40;
const FOREVER = 0xffffffff;

export interface PrefixInformation {
  readonly prefix: Cidr;
  /** Hosts with such addresses are reached without a router. */
  readonly onLink: boolean;
  /** Hosts make addresses of it by themselves. */
  readonly autonomous: boolean;
  readonly valid: number;
  readonly preferred: number;
}

export interface RouteInformation {
  readonly dst: Cidr;
  /** 1 high, 0 medium, -1 low. */
  readonly preference: number;
  readonly lifetime: number;
}

export interface Advertisement {
  /** Addresses are given by DHCPv6. */
  readonly managed: boolean;
  /** Other settings, as DNS, are given by DHCPv6. */
  readonly other: boolean;
  /** For how long it is a default router; 0: it is none. */
  readonly routerLifetime: number;
  /** As a default router: 1 high, 0 medium, -1 low (RFC 4191, section 2.2). */
  readonly preference: number;
  readonly prefixes: readonly PrefixInformation[];
  readonly routes: readonly RouteInformation[];
  readonly mtu?: number | undefined;
  readonly nameservers: readonly { readonly address: Ip; readonly lifetime: number }[];
  /** To be searched. */
  readonly domains: readonly { readonly name: string; readonly lifetime: number }[];
}

/** By the MAC address routers can answer to its owner alone. The checksum comes with the packet (icmp.ts). */
export function encodeSolicitation(mac: Uint8Array): Uint8Array {
  return new Writer(16)
    .u8(ROUTER_SOLICITATION)
    .zeros(7)
    .u8(SOURCE_LINK_LAYER_ADDRESS)
    .u8(1)
    .raw(mac)
    .finish();
}

/** Options that make no sense are left out, as those that nobody knows. WireError for what is to be ignored (6.1.2). */
export function decodeAdvertisement(icmp: Uint8Array): Advertisement {
  const message = new Reader(icmp);
  message.from(0, HEADER);
  if (message.u8(0) !== ROUTER_ADVERTISEMENT || message.u8(1) !== 0)
    throw new WireError(`no router advertisement: type ${message.u8(0)}, code ${message.u8(1)}`);
  const flags = message.u8(5);
  const options = decodeOptions(message.from(HEADER));
  return {
    managed: (flags & MANAGED) !== 0,
    other: (flags & OTHER) !== 0,
    routerLifetime: message.be16(6),
    preference: preferenceOf(flags) ?? 0,
    ...options,
  };
}

/** What the options say, as it is found. */
interface Options {
  readonly prefixes: PrefixInformation[];
  readonly routes: RouteInformation[];
  readonly nameservers: { readonly address: Ip; readonly lifetime: number }[];
  readonly domains: { readonly name: string; readonly lifetime: number }[];
  mtu?: number;
}

function decodeOptions(options: Reader): Options {
  const found: Options = { prefixes: [], routes: [], nameservers: [], domains: [] };
  for (let at = 0; at < options.length; ) {
    const size = options.u8(at + 1) * 8;
    if (size === 0) throw new WireError(`option ${options.u8(at)} has no length`);
    const option = options.from(at, size);
    try {
      decodeOption(option, found);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
    at += size;
  }
  return found;
}

function decodeOption(option: Reader, found: Options): void {
  const type = option.u8(0);
  if (type === PREFIX_INFORMATION) decodePrefix(option, found);
  else if (type === ROUTE_INFORMATION) decodeRoute(option, found);
  else if (type === RDNSS) decodeNameservers(option, found);
  else if (type === DNSSL) decodeDomains(option, found);
  else if (type === MTU) found.mtu = option.be32(4);
}

function decodePrefix(option: Reader, { prefixes }: Options): void {
  const [length, flags] = [option.u8(2), option.u8(3)];
  const [valid, preferred] = [lifetimeAt(option, 4), lifetimeAt(option, 8)];
  const address = addressAt(option, 16, 16);
  // RFC 4862, section 5.5.3: b) and c). No link has all addresses.
  if (length === 0 || length > 128 || preferred > valid || !isUnicast(address) || isLinkLocal(address))
    return;
  const autonomous = (flags & AUTONOMOUS) !== 0;
  const prefix = new Cidr(address, length).network;
  prefixes.push({ prefix, onLink: (flags & ON_LINK) !== 0, autonomous, valid, preferred });
}

function decodeRoute(option: Reader, { routes }: Options): void {
  const length = option.u8(2);
  const preference = preferenceOf(option.u8(3));
  // As many bytes of it as the length of the option has room for; the others are 0.
  const address = addressAt(option, 8, Math.min(16, option.length - 8));
  const room = (option.length - 8) * 8;
  if (length > Math.min(128, room) || preference === undefined) return;
  if (length > 0 && (!isUnicast(address) || isLinkLocal(address))) return;
  routes.push({ dst: new Cidr(address, length).network, preference, lifetime: lifetimeAt(option, 4) });
}

function decodeNameservers(option: Reader, { nameservers }: Options): void {
  const lifetime = lifetimeAt(option, 4);
  for (let at = 8; at + 16 <= option.length; at += 16) {
    const address = addressAt(option, at, 16);
    if (isUnicast(address)) nameservers.push({ address, lifetime });
  }
}

function decodeDomains(option: Reader, { domains }: Options): void {
  const lifetime = lifetimeAt(option, 4);
  for (const name of decodeNames(option.from(8).bytes, false)) domains.push({ name, lifetime });
}

function lifetimeAt(option: Reader, at: number): number {
  const seconds = option.be32(at);
  return seconds === FOREVER ? Number.POSITIVE_INFINITY : seconds;
}

function addressAt(option: Reader, at: number, size: number): Ip {
  const bytes = new Uint8Array(16);
  bytes.set(option.from(at, size).bytes);
  return new Ip(bytes);
}

/** Two bits of flags (RFC 4191, section 2.1); undefined for the value that is reserved. */
function preferenceOf(flags: number): number | undefined {
  return [0, 1, undefined, -1][(flags >> 3) & 3];
}
