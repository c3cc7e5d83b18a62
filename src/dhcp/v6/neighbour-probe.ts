import { Ip, parseIp } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import type { IcmpPacket } from "../ra/icmp.ts";
import { type IcmpContext, type IcmpSocket, openIcmpSocket } from "../ra/icmp-socket.ts";

/** Asking the neighbours whether one of them has an address (RFC 4861, sections 4.3 and 4.4). */

const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
const SOURCE_LINK_LAYER_ADDRESS = 1;
/** The flag of an advertisement that answers a solicitation. */
const SOLICITED = 0x40;
/** Type, code, checksum, flags; then the target. */
const HEADER = 8;
const ADVERTISEMENT_SIZE = HEADER + 16;

/** How long a late answer is listened for. */
const LATE_MS = 2000;
const STEP_MS = 10;

export interface Probe {
  /** Nothing is told after this. */
  stop(): void;
}

/**
 * Asks whether another host on the link has `address`, which our interface does not have yet. `done` is told once, at
 * the first answer or after `windowMs`; and `done(true)` once more if an answer comes within two seconds after that.
 * Without a window nobody is asked. Where it cannot be asked, it is tried again until the window is over.
 */
export function probeDuplicate(
  context: IcmpContext,
  address: Ip,
  windowMs: number,
  done: (duplicate: boolean) => void,
): Probe {
  const { scheduler } = context;
  let socket: IcmpSocket | undefined;
  let attempt = { cancel: () => {} };
  let timer = scheduler.after(windowMs, () => {
    attempt.cancel();
    if (socket) timer = scheduler.after(LATE_MS, stop);
    done(false);
  });
  const stop = () => {
    timer.cancel();
    attempt.cancel();
    socket?.close();
    socket = undefined;
  };
  const ask = () => {
    socket = solicit(context, address, ({ icmp }) => {
      if (!isAdvertisementOf(address, icmp)) return;
      stop();
      done(true);
    });
    if (!socket) attempt = scheduler.after(STEP_MS, ask);
  };
  if (windowMs > 0) ask();
  return { stop };
}

/** Sends the question; undefined if it cannot be sent now, whatever the reason. */
function solicit(
  context: IcmpContext,
  address: Ip,
  received: (packet: IcmpPacket) => void,
): IcmpSocket | undefined {
  try {
    const socket = openIcmpSocket(context, NEIGHBOUR_ADVERTISEMENT, received);
    if (socket?.send(solicitedNode(address), encodeSolicitation(address, socket.mac))) return socket;
    socket?.close();
  } catch {
    // Who cannot ask has heard of no other owner; what is wrong is met, and told, when the address is set.
  }
  return undefined;
}

/** With our MAC address the owner of `target` can answer at once. */
export function encodeSolicitation(target: Ip, mac: Uint8Array): Uint8Array {
  const message = new Writer(32).u8(NEIGHBOUR_SOLICITATION).zeros(HEADER - 1);
  return message.raw(target.bytes).u8(SOURCE_LINK_LAYER_ADDRESS).u8(1).raw(mac).finish();
}

/** Whether an ICMPv6 message says, in answer to a solicitation, that its sender has this address. */
export function isAdvertisementOf(address: Ip, message: Uint8Array): boolean {
  return (
    message.length >= ADVERTISEMENT_SIZE &&
    message[0] === NEIGHBOUR_ADVERTISEMENT &&
    message[1] === 0 &&
    (message[4]! & SOLICITED) !== 0 &&
    new Ip(message.subarray(HEADER, ADVERTISEMENT_SIZE)).equals(address)
  );
}

/** The multicast group that whoever has this address is in (RFC 4291, section 2.7.1). */
export function solicitedNode(address: Ip): Ip {
  const bytes = parseIp("ff02::1:ff00:0")!.bytes.slice();
  bytes.set(address.bytes.subarray(13), 13);
  return new Ip(bytes);
}
