import { check, type Host } from "../host/host.ts";
import { Writer } from "../netlink/codec.ts";
import type { Reached } from "./container-interface.ts";

/** Sockets for whole frames of one link: packet(7). */

const AF_PACKET = 17;
const SOCK_RAW = 3;

/** Instructions of classic BPF (linux/bpf_common.h), those that filters here are made of. Offsets count from the frame. */
export const Bpf = {
  /** A = the byte, the 16 bits, the 32 bits at k. */
  LoadByte: 0x30,
  LoadHalf: 0x28,
  LoadWord: 0x20,
  /** X = 4 times the lower half of the byte at k: the length of an IPv4 header. */
  LoadHeaderLength: 0xb1,
  /** A = the 16 bits at X + k. */
  LoadHalfAtX: 0x48,
  /** Skips as many instructions as the second or the third number says: A == k, A & k. */
  JumpIfEqual: 0x15,
  JumpIfAnyBit: 0x45,
  /** Keeps k bytes of the frame; with 0 drops it. */
  Return: 0x06,
} as const;

/** What Bpf.Return says to keep the whole frame. */
export const WHOLE = 0xffff;

/** An instruction: what it does, how many to skip if it is true and if it is not, k. */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

/**
 * A socket that receives the frames of one protocol (ETH_P_*) that the filter lets pass, and sends frames. The link
 * must be up. SysError.
 */
export function openPacketSocket(
  { netns, link }: Reached,
  protocol: number,
  filter: readonly Instruction[],
): number {
  const { host } = netns;
  // Of protocol 0: it receives nothing before it is bound, and by then it has its filter.
  const fd = check("socket", host.sys.socket(netns.fd, AF_PACKET, SOCK_RAW, 0), "packet");
  try {
    check("attach a filter", host.sys.filter(fd, encodeFilter(filter)));
    check("bind", host.sys.bind(fd, linkAddress(link.index, protocol)), link.name);
    return fd;
  } catch (error) {
    host.close(fd);
    throw error;
  }
}

/** Closes it in a moment: that takes the kernel a grace period of 10 ms and more, which nobody is to wait for. */
export function closePacketSocket({ sys }: Host, fd: number): void {
  check("close", sys.closelater(fd));
}

/** SysError: ENETDOWN if the link is down, ENOBUFS if its queue is full. */
export function sendFrame({ sys }: Host, fd: number, frame: Uint8Array): void {
  check("send", sys.send(fd, frame, 0), "frame");
}

/** Array of struct sock_filter (linux/filter.h): u16 code, u8 jt, u8 jf, u32 k. */
export function encodeFilter(filter: readonly Instruction[]): Uint8Array {
  const writer = new Writer(filter.length * 8);
  for (const [code, ifTrue, ifFalse, k] of filter) writer.u16(code).u8(ifTrue).u8(ifFalse).u32(k);
  return writer.finish();
}

/** struct sockaddr_ll (linux/if_packet.h): family, protocol, link; what else is in it is for sending. */
function linkAddress(link: number, protocol: number): Uint8Array {
  return new Writer(20).u16(AF_PACKET).be16(protocol).u32(link).zeros(12).finish();
}
