import type { Ip } from "../../address/ip.ts";
import { WireError } from "../../netlink/codec.ts";
import type { Dns } from "../../spec/result.ts";
import { BytesReader } from "../bytes.ts";
import { decodeNames } from "../domain-name.ts";
import { isLinkLocal, isUnicast } from "./address.ts";
import {
  type AssociatedAddress,
  type Association,
  decodeAssociation,
  Status,
  type StatusCode,
  statusOf,
} from "./association.ts";
import type { Identity } from "./duid.ts";
import { type Message, Option, type Options, optionOf } from "./message.ts";

/** What a server says to us: in an Advertise, or in a Reply. */
export interface Answer {
  /** Its DUID. */
  readonly server: Uint8Array;
  /** Which of several servers to take: 0 to 255. */
  readonly preference: number;
  /** A Reply to a Solicit, without a Request between. */
  readonly rapid: boolean;
  /** The first refusal, of the whole or of the address. */
  readonly status: StatusCode;
  readonly grant: Grant | undefined;
  /** The address that we have is ours no more. */
  readonly takenBack: boolean;
  readonly dns: Dns | undefined;
  /** How patient a client without an answer is to be (RFC 8415, sections 21.24 and 21.25), in milliseconds. */
  readonly solicitMaxRt: number | undefined;
  readonly informationMaxRt: number | undefined;
  /** When a client that has no address is to ask again (section 21.23), in milliseconds. */
  readonly refresh: number;
}

/** An address for a time. Milliseconds from now, Infinity where there is no end. */
export interface Grant {
  readonly address: Ip;
  /** T1 and T2. */
  readonly renew: number;
  readonly rebind: number;
  readonly valid: number;
}

/** IRT_DEFAULT and IRT_MINIMUM (section 7.6). */
const DEFAULT_REFRESH_S = 86_400;
const SHORTEST_REFRESH_S = 600;
const INFINITE = 0xffffffff;
/** Section 11.1. */
const SHORTEST_DUID = 3;
const LONGEST_DUID = 130;

/**
 * Undefined if it is not for us (RFC 8415, section 16). `own` is the address that we have, or ask for; `ifName` is
 * where addresses without a network are. Options that make no sense are left out, which `log` is told.
 */
export function readAnswer(
  { options }: Message,
  { duid, iaid }: Identity,
  { own, ifName, log }: { own?: Ip | undefined; ifName: string; log: (text: string) => void },
): Answer | undefined {
  const client = optionOf(options, Option.ClientId);
  const server = optionOf(options, Option.ServerId);
  if (client === undefined || !sameBytes(client, duid) || server === undefined) return undefined;
  if (server.length < SHORTEST_DUID || server.length > LONGEST_DUID) return undefined;
  const read = <T>(code: number, decode: (value: Uint8Array) => T): T | undefined => {
    const value = optionOf(options, code);
    try {
      return value && decode(value);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      log(`DHCPv6 option ${code} is left out: ${error.message}`);
      return undefined;
    }
  };
  const association = associationOf(options, iaid, log);
  const addresses = association?.addresses ?? [];
  const whole = read(Option.StatusCode, () => statusOf(options)) ?? { code: Status.Success, text: "" };
  const status = [whole, association?.status ?? whole, ...addresses.map((address) => address.status)].find(
    ({ code }) => code !== Status.Success,
  );
  const chosen = addresses.filter(isUsable).sort(preferring(own))[0];
  const refused = whole.code !== Status.Success || association?.status.code !== Status.Success;
  return {
    // The datagram goes when this is kept.
    server: server.slice(),
    preference: read(Option.Preference, (value) => new BytesReader(value).u8()) ?? 0,
    rapid: optionOf(options, Option.RapidCommit) !== undefined,
    status: status ?? whole,
    grant: chosen && !refused ? grantOf(chosen, association!) : undefined,
    takenBack: addresses.some(({ ip, valid }) => own?.equals(ip) && valid === 0),
    dns: dnsOf(
      read(Option.DnsServers, (value) => nameservers(value, ifName)),
      read(Option.DomainList, (value) => decodeNames(value, false)),
    ),
    solicitMaxRt: read(Option.SolicitMaxRt, patience),
    informationMaxRt: read(Option.InformationMaxRt, patience),
    refresh: read(Option.InformationRefreshTime, refreshTime) ?? DEFAULT_REFRESH_S * 1000,
  };
}

/** The one of ours; a server that sets T1 behind T2 is not listened to (section 21.4). */
function associationOf(options: Options, iaid: number, log: (text: string) => void): Association | undefined {
  for (const [code, value] of options) {
    if (code !== Option.Association) continue;
    try {
      const association = decodeAssociation(value);
      const { t1, t2 } = association;
      if (association.iaid === iaid && !(t2 > 0 && t1 > t2)) return association;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      log(`addresses of a DHCPv6 server are left out: ${error.message}`);
    }
  }
  return undefined;
}

/** For a host, and not over yet; a preferred lifetime beyond the valid one is a mistake (section 21.6). */
function isUsable({ ip, preferred, valid, status }: AssociatedAddress): boolean {
  return (
    status.code === Status.Success && valid > 0 && preferred <= valid && isUnicast(ip) && !isLinkLocal(ip)
  );
}

/** The own address comes first, then the one that is the server's choice for the longest time. */
function preferring(own: Ip | undefined): (a: AssociatedAddress, b: AssociatedAddress) => number {
  const weight = ({ ip, preferred }: AssociatedAddress) =>
    own?.equals(ip) ? Number.MAX_VALUE : Math.min(preferred, INFINITE);
  return (a, b) => weight(b) - weight(a);
}

/** Times that the server leaves to us, or that would come too late, are those that section 21.4 recommends to servers. */
function grantOf({ ip, preferred, valid }: AssociatedAddress, { t1, t2 }: Association): Grant {
  const base = preferred || valid;
  const rebind = t2 > 0 && t2 < valid ? t2 : base * 0.8;
  const renew = t1 > 0 && t1 <= rebind ? t1 : Math.min(base * 0.5, rebind);
  return { address: ip, renew: renew * 1000, rebind: rebind * 1000, valid: valid * 1000 };
}

function dnsOf(servers: string[] = [], search: string[] = []): Dns | undefined {
  if (servers.length === 0 && search.length === 0) return undefined;
  return { ...(servers.length > 0 && { nameservers: servers }), ...(search.length > 0 && { search }) };
}

/** A link-local one is told with its link (RFC 4007, section 11). */
function nameservers(value: Uint8Array, ifName: string): string[] {
  const reader = new BytesReader(value);
  const ips: Ip[] = [];
  while (reader.remaining > 0) ips.push(reader.ip(16));
  return ips.filter(isUnicast).map((ip) => (isLinkLocal(ip) ? `${ip}%${ifName}` : `${ip}`));
}

/** Undefined where a server exceeds what it may wish. */
function patience(value: Uint8Array): number | undefined {
  const seconds = new BytesReader(value).u32();
  return seconds >= 60 && seconds <= 86_400 ? seconds * 1000 : undefined;
}

function refreshTime(value: Uint8Array): number {
  const seconds = new BytesReader(value).u32();
  return seconds === INFINITE ? Number.POSITIVE_INFINITY : Math.max(seconds, SHORTEST_REFRESH_S) * 1000;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
