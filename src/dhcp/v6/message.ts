import { Writer } from "../../netlink/codec.ts";
import { BytesReader } from "../bytes.ts";

/** A DHCPv6 message between client and server. Wire: RFC 8415, sections 8 and 21.1. */
export interface Message {
  readonly type: number;
  /** 24 bits. */
  readonly transactionId: number;
  readonly options: Options;
}

/** In the order of the message; of options that may come once, the first counts. */
export type Options = readonly (readonly [code: number, value: Uint8Array])[];

/** RFC 8415, section 7.3. */
export const MessageType = {
  Solicit: 1,
  Advertise: 2,
  Request: 3,
  Renew: 5,
  Rebind: 6,
  Reply: 7,
  Release: 8,
  Decline: 9,
  InformationRequest: 11,
} as const;

/** Codes of options: RFC 8415, section 21; DnsServers and DomainList RFC 3646. */
export const Option = {
  ClientId: 1,
  ServerId: 2,
  /** IA_NA: addresses that are not temporary. */
  Association: 3,
  /** IAADDR, in an association. */
  Address: 5,
  OptionRequest: 6,
  Preference: 7,
  ElapsedTime: 8,
  StatusCode: 13,
  RapidCommit: 14,
  DnsServers: 23,
  DomainList: 24,
  InformationRefreshTime: 32,
  SolicitMaxRt: 82,
  InformationMaxRt: 83,
} as const;

export function encodeMessage({ type, transactionId, options }: Message): Uint8Array {
  const writer = new Writer().u8(type);
  writer.u8(transactionId >>> 16).be16(transactionId & 0xffff);
  return writer.raw(encodeOptions(options)).finish();
}

/** Throws WireError. Values of options are not looked at. */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new BytesReader(bytes);
  const type = reader.u8();
  const transactionId = reader.u8() * 0x10000 + reader.u16();
  return { type, transactionId, options: decodeOptions(reader) };
}

export function encodeOptions(options: Options): Uint8Array {
  const writer = new Writer();
  for (const [code, value] of options) writer.be16(code).be16(value.length).raw(value);
  return writer.finish();
}

/** All that is left to read. Throws WireError. */
export function decodeOptions(reader: BytesReader): Options {
  const options: [number, Uint8Array][] = [];
  while (reader.remaining > 0) options.push([reader.u16(), reader.bytes(reader.u16())]);
  return options;
}

export function optionOf(options: Options, code: number): Uint8Array | undefined {
  return options.find(([other]) => other === code)?.[1];
}
