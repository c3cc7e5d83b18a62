import type { Ip } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import { encodeAssociation } from "./association.ts";
import type { Identity } from "./duid.ts";
import { MessageType, Option, type Options } from "./message.ts";

/** What a client says of itself in a message. */
export interface Statement {
  readonly type: number;
  /** The DUID of the one server that is meant. */
  readonly server?: Uint8Array | undefined;
  /** The address that it is about. */
  readonly address?: Ip | undefined;
}

/** What goes with an address, and what instead of one. */
const ADDRESS_WISHES = [Option.DnsServers, Option.DomainList, Option.SolicitMaxRt];
const INFORMATION_WISHES = [
  Option.DnsServers,
  Option.DomainList,
  Option.InformationRefreshTime,
  Option.InformationMaxRt,
];

/** What belongs into a message of this type (RFC 8415, appendix B), but for the time that has elapsed. */
export function optionsOf({ type, server, address }: Statement, { duid, iaid }: Identity): Options {
  const options: [number, Uint8Array][] = [[Option.ClientId, duid]];
  if (server !== undefined) options.push([Option.ServerId, server]);
  if (type !== MessageType.InformationRequest)
    options.push([Option.Association, encodeAssociation(iaid, address)]);
  if (type === MessageType.Solicit) options.push([Option.RapidCommit, new Uint8Array()]);
  const wishes = wishesOf(type);
  if (wishes.length > 0) options.push([Option.OptionRequest, encodeCodes(wishes)]);
  return options;
}

function wishesOf(type: number): readonly number[] {
  switch (type) {
    case MessageType.InformationRequest:
      return INFORMATION_WISHES;
    case MessageType.Decline:
    case MessageType.Release:
      return [];
    default:
      return ADDRESS_WISHES;
  }
}

function encodeCodes(codes: readonly number[]): Uint8Array {
  const writer = new Writer(8);
  for (const code of codes) writer.be16(code);
  return writer.finish();
}
