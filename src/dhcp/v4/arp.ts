import type { Ip } from "../../address/ip.ts";
import { WireError, Writer } from "../../netlink/codec.ts";
import { BytesReader } from "../bytes.ts";

const ETHERNET = 1;
const ETH_P_IP = 0x0800;
const REQUEST = 1;
const MAC_SIZE = 6;
const IP_SIZE = 4;

/** An ARP packet for IPv4 on Ethernet. Wire: RFC 826. */
export interface Arp {
  /** 1 asks, 2 answers. */
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderIp: Ip;
  readonly targetIp: Ip;
}

/** Asks who has an address without saying that one has it oneself (RFC 5227, section 2.1.1). */
export function encodeArpProbe(mac: Uint8Array, target: Ip): Uint8Array {
  return encodeRequest(mac, new Uint8Array(IP_SIZE), target);
}

/** Says that one has an address, by asking who has it (RFC 5227, section 2.3). */
export function encodeArpAnnouncement(mac: Uint8Array, own: Ip): Uint8Array {
  return encodeRequest(mac, own.bytes, own);
}

function encodeRequest(mac: Uint8Array, sender: Uint8Array, target: Ip): Uint8Array {
  const writer = new Writer(28).be16(ETHERNET).be16(ETH_P_IP).u8(MAC_SIZE).u8(IP_SIZE).be16(REQUEST);
  return writer.raw(mac).raw(sender).zeros(MAC_SIZE).raw(target.bytes).finish();
}

/** Undefined if it is none. */
export function decodeArp(bytes: Uint8Array): Arp | undefined {
  try {
    const reader = new BytesReader(bytes);
    if (reader.u16() !== ETHERNET || reader.u16() !== ETH_P_IP) return undefined;
    if (reader.u8() !== MAC_SIZE || reader.u8() !== IP_SIZE) return undefined;
    const operation = reader.u16();
    const senderMac = reader.bytes(MAC_SIZE).slice();
    const senderIp = reader.ip(4);
    reader.bytes(MAC_SIZE);
    return { operation, senderMac, senderIp, targetIp: reader.ip(4) };
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
