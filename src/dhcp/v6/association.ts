import type { Ip } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import { BytesReader, printable } from "../bytes.ts";
import { decodeOptions, encodeOptions, Option, type Options, optionOf } from "./message.ts";

/** Addresses that a server gives, and how it refuses. Wire: RFC 8415, sections 21.4, 21.6 and 21.13. */

/** RFC 8415, section 21.13. */
export const Status = {
  Success: 0,
  UnspecFail: 1,
  NoAddrsAvail: 2,
  NoBinding: 3,
  NotOnLink: 4,
  UseMulticast: 5,
} as const;

/** How a request went, and the server's own words for it. */
export interface StatusCode {
  readonly code: number;
  readonly text: string;
}

/** An identity association for non-temporary addresses (IA_NA). Times in seconds, Infinity where there is no end. */
export interface Association {
  readonly iaid: number;
  /** When the server wishes to be asked to extend, and when any server; 0: as the client likes. */
  readonly t1: number;
  readonly t2: number;
  readonly addresses: readonly AssociatedAddress[];
  readonly status: StatusCode;
}

export interface AssociatedAddress {
  readonly ip: Ip;
  readonly preferred: number;
  readonly valid: number;
  readonly status: StatusCode;
}

const INFINITE = 0xffffffff;
const LONGEST_TEXT = 100;

/** As a client writes it: the server chooses the times, and the address if none is told. */
export function encodeAssociation(iaid: number, address?: Ip): Uint8Array {
  const writer = new Writer().be32(iaid).zeros(8);
  if (address !== undefined)
    writer.raw(encodeOptions([[Option.Address, new Writer().raw(address.bytes).zeros(8).finish()]]));
  return writer.finish();
}

/** Throws WireError. */
export function decodeAssociation(value: Uint8Array): Association {
  const reader = new BytesReader(value);
  const [iaid, t1, t2] = [reader.u32(), seconds(reader), seconds(reader)];
  const options = decodeOptions(reader);
  const addresses = options.flatMap(([code, inner]) =>
    code === Option.Address ? [decodeAddress(inner)] : [],
  );
  return { iaid, t1, t2, addresses, status: statusOf(options) };
}

function decodeAddress(value: Uint8Array): AssociatedAddress {
  const reader = new BytesReader(value);
  const [ip, preferred, valid] = [reader.ip(16), seconds(reader), seconds(reader)];
  return { ip, preferred, valid, status: statusOf(decodeOptions(reader)) };
}

/** Success where nothing is said. Throws WireError. */
export function statusOf(options: Options): StatusCode {
  const value = optionOf(options, Option.StatusCode);
  if (value === undefined) return { code: Status.Success, text: "" };
  const reader = new BytesReader(value);
  return { code: reader.u16(), text: printable(reader.rest().subarray(0, LONGEST_TEXT)) };
}

/** A refusal in words: `NoAddrsAvail ("no addresses left")`. */
export function describeStatus({ code, text }: StatusCode): string {
  const name = Object.entries(Status).find(([, number]) => number === code)?.[0] ?? `status ${code}`;
  return text === "" ? name : `${name} ("${text}")`;
}

function seconds(reader: BytesReader): number {
  const value = reader.u32();
  return value === INFINITE ? Number.POSITIVE_INFINITY : value;
}
