import { Ip, parseIp } from "../../address/ip.ts";
import { check, type Host } from "../../host/host.ts";
import { Writer } from "../../netlink/codec.ts";
import type { ContainerInterface, Reached } from "../container-interface.ts";
import type { Scheduler } from "../loop.ts";
import { Bpf, encodeFilter, type Instruction, WHOLE } from "../packet-socket.ts";
import { HOP_LIMIT, IPPROTO_ICMPV6 } from "../ra/icmp.ts";
import { linkLocalAddress, openSocket, setOption, socketAddress } from "./socket.ts";

/** Asking the neighbours whether one of them has an address (RFC 4861, sections 4.3 and 4.4). */

const SOCK_RAW = 3;
const IPPROTO_IPV6 = 41;
const IPV6_MULTICAST_HOPS = 18;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
const SOURCE_LINK_LAYER_ADDRESS = 1;
/** The flag of an advertisement that answers a solicitation. */
const SOLICITED = 0x40;
/** Type, code, checksum, flags; then the target. */
const HEADER = 8;
const ADVERTISEMENT_SIZE = HEADER + 16;

/** The Linux extension that counts from the network header (SKF_NET_OFF): raw sockets see ICMPv6 alone. */
const NETWORK_HEADER = 0xfff00000;
/** What answers, and only from the link itself: no router forwards with a hop limit of 255 (RFC 4861, section 11.2). */
const ADVERTISEMENTS: readonly Instruction[] = [
  [Bpf.LoadByte, 0, 0, NETWORK_HEADER + 7],
  [Bpf.JumpIfEqual, 0, 3, HOP_LIMIT],
  [Bpf.LoadByte, 0, 0, 0],
  [Bpf.JumpIfEqual, 0, 1, NEIGHBOUR_ADVERTISEMENT],
  [Bpf.Return, 0, 0, WHOLE],
  [Bpf.Return, 0, 0, 0],
];

/** How long a late answer is listened for. */
const LATE_MS = 2000;
const STEP_MS = 10;

/** What a probe needs of the source that it is for. */
export interface ProbeContext {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly target: ContainerInterface;
}

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
  { host, scheduler, target }: ProbeContext,
  address: Ip,
  windowMs: number,
  done: (duplicate: boolean) => void,
): Probe {
  let fd = -1;
  let watch = { stop: () => {} };
  let timer = scheduler.after(windowMs, () => {
    attempt.cancel();
    if (fd >= 0) timer = scheduler.after(LATE_MS, stop);
    done(false);
  });
  let attempt = { cancel: () => {} };
  const stop = () => {
    timer.cancel();
    attempt.cancel();
    watch.stop();
    if (fd >= 0) host.close(fd);
    fd = -1;
  };
  const ask = () => {
    fd = solicit(target, address);
    if (fd < 0) attempt = scheduler.after(STEP_MS, ask);
    else watch = scheduler.watch(fd, receive);
  };
  const receive = () => {
    if (!answered(host, fd, address)) return;
    stop();
    done(true);
  };
  if (windowMs > 0) ask();
  return { stop };
}

/** Sends the question; the socket on which answers come, or -1 if it cannot be sent now, whatever the reason. */
function solicit(target: ContainerInterface, address: Ip): number {
  try {
    return target.use((reached) => {
      const source = linkLocalAddress(reached);
      return source === undefined ? -1 : solicitFrom(reached, source, address);
    });
  } catch {
    // Who cannot ask has heard of no other owner; what is wrong is met, and told, when the address is set.
    return -1;
  }
}

function solicitFrom(reached: Reached, source: Ip, address: Ip): number {
  const { host } = reached.netns;
  const fd = openSocket(reached, SOCK_RAW, IPPROTO_ICMPV6, source);
  try {
    check("attach a filter", host.sys.filter(fd, encodeFilter(ADVERTISEMENTS)));
    setOption(host, fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, new Writer(4).u32(HOP_LIMIT).finish());
    const to = socketAddress(solicitedNode(address), 0, reached.link.index);
    check("send", host.sys.sendto(fd, encodeSolicitation(address, reached.link.mac?.bytes), to, 0));
    return fd;
  } catch (error) {
    host.close(fd);
    throw error;
  }
}

function answered(host: Host, fd: number, address: Ip): boolean {
  // Options may follow, which say nothing that is asked for.
  const message = new Uint8Array(2048);
  const length = host.sys.recv(fd, message, 0);
  return length > 0 && isAdvertisementOf(address, message.subarray(0, length));
}

/** The kernel fills in the checksum. With our MAC address the owner of `target` can answer at once. */
export function encodeSolicitation(target: Ip, mac: Uint8Array | undefined): Uint8Array {
  const message = new Writer(32)
    .u8(NEIGHBOUR_SOLICITATION)
    .zeros(HEADER - 1)
    .raw(target.bytes);
  if (mac?.length === 6) message.u8(SOURCE_LINK_LAYER_ADDRESS).u8(1).raw(mac);
  return message.finish();
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
