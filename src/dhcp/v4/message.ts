import type { Ip } from "../../address/ip.ts";
import { WireError, Writer } from "../../netlink/codec.ts";
import { BytesReader } from "../bytes.ts";

/** A DHCPv4 message. Wire: RFC 2131, section 2, figure 1; of the field `options`, RFC 2132. */
export interface Message {
  /** BOOTREQUEST, BOOTREPLY. */
  readonly op: 1 | 2;
  readonly xid: number;
  /** Since when the client has been trying. */
  readonly secs: number;
  /** The client wishes that answers come by broadcast. */
  readonly broadcast: boolean;
  readonly ciaddr: Ip;
  readonly yiaddr: Ip;
  readonly siaddr: Ip;
  readonly giaddr: Ip;
  /** The client's MAC address, 6 bytes. */
  readonly chaddr: Uint8Array;
  /** By code, without Pad, End and Overload; what came in parts is in one piece (RFC 3396). */
  readonly options: ReadonlyMap<number, Uint8Array>;
}

const ETHERNET = 1;
const MAC_SIZE = 6;
const CHADDR_SIZE = 16;
const SNAME_SIZE = 64;
const FILE_SIZE = 128;
const BROADCAST_FLAG = 0x8000;
const MAGIC_COOKIE = 0x63825363;

const PAD = 0;
const OVERLOAD = 52;
const END = 255;
const MAX_OPTION = 255;
/** Of BOOTP (RFC 951); there are relays and servers that drop what is shorter. */
const MIN_SIZE = 300;

/** Options are written in the map's order, long ones in parts (RFC 3396). */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer(MIN_SIZE * 2);
  writer.u8(message.op).u8(ETHERNET).u8(MAC_SIZE).u8(0);
  writer
    .be32(message.xid)
    .be16(message.secs)
    .be16(message.broadcast ? BROADCAST_FLAG : 0);
  for (const ip of [message.ciaddr, message.yiaddr, message.siaddr, message.giaddr]) writer.raw(ip.bytes);
  writer.raw(message.chaddr).zeros(CHADDR_SIZE - MAC_SIZE + SNAME_SIZE + FILE_SIZE);
  writer.be32(MAGIC_COOKIE);
  for (const [code, value] of message.options) {
    let at = 0;
    do {
      const part = value.subarray(at, at + MAX_OPTION);
      writer.u8(code).u8(part.length).raw(part);
      at += MAX_OPTION;
    } while (at < value.length);
  }
  writer.u8(END);
  return writer.zeros(Math.max(0, MIN_SIZE - writer.length)).finish();
}

/** Throws WireError. Values of options are not looked at. */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new BytesReader(bytes);
  const op = reader.u8();
  if (op !== 1 && op !== 2) throw new WireError(`DHCP message with op ${op}`);
  const [hardware, size] = [reader.u8(), reader.u8()];
  if (hardware !== ETHERNET || size !== MAC_SIZE)
    throw new WireError(`DHCP message for hardware ${hardware} with addresses of ${size} bytes`);
  // The number of relays.
  reader.u8();
  const xid = reader.u32();
  const secs = reader.u16();
  const broadcast = reader.u16() >= BROADCAST_FLAG;
  const [ciaddr, yiaddr, siaddr, giaddr] = [reader.ip(4), reader.ip(4), reader.ip(4), reader.ip(4)];
  const chaddr = reader.bytes(CHADDR_SIZE).slice(0, MAC_SIZE);
  const sname = reader.bytes(SNAME_SIZE);
  const file = reader.bytes(FILE_SIZE);
  if (reader.u32() !== MAGIC_COOKIE) throw new WireError("no DHCP message: the magic cookie is missing");
  const options = decodeOptions(reader.rest(), file, sname);
  return { op, xid, secs, broadcast, ciaddr, yiaddr, siaddr, giaddr, chaddr, options };
}

/** The order of RFC 3396, section 5: `options`, then `file`, then `sname`. */
function decodeOptions(field: Uint8Array, file: Uint8Array, sname: Uint8Array): Map<number, Uint8Array> {
  const parts = new Map<number, Writer>();
  collectOptions(field, parts);
  const overload = overloadOf(parts.get(OVERLOAD)?.finish());
  if (overload & 1) collectOptions(file, parts);
  if (overload & 2) collectOptions(sname, parts);
  parts.delete(OVERLOAD);
  return new Map(Array.from(parts, ([code, value]) => [code, value.finish()]));
}

/** Which fields have options too (RFC 2132, section 9.3): 1 is `file`, 2 `sname`, 3 both. */
function overloadOf(value: Uint8Array | undefined): number {
  if (value === undefined) return 0;
  const [overload = 0] = value;
  if (value.length !== 1 || overload < 1 || overload > 3)
    throw new WireError(`option ${OVERLOAD} is [${value.subarray(0, 4)}]`);
  return overload;
}

/** Appends each option's value to what there is of it. Some servers forget the End. */
function collectOptions(field: Uint8Array, parts: Map<number, Writer>): void {
  const reader = new BytesReader(field);
  while (reader.remaining > 0) {
    const code = reader.u8();
    if (code === PAD) continue;
    if (code === END) return;
    const value = reader.bytes(reader.u8());
    const whole = parts.get(code) ?? new Writer(value.length);
    parts.set(code, whole.raw(value));
  }
}
