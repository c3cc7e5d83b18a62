import { type Ip, parseIp } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import {
  Bpf,
  closePacketSocket,
  type Instruction,
  openPacketSocket,
  sendFrame,
  WHOLE,
} from "../packet-socket.ts";
import type { SourceContext } from "../source.ts";
import { isPassing, linkLocalAddress } from "../v6/socket.ts";
import { decodeIcmp, encodeIcmp, HOP_LIMIT, type IcmpPacket, IPPROTO_ICMPV6 } from "./icmp.ts";
import { ROUTER_ADVERTISEMENT } from "./message.ts";

/** To the routers of a link, and from them. A raw ICMPv6 socket would not tell who sent a message. */

const ETH_P_IPV6 = 0x86dd;
/** Two MAC addresses, and the protocol. */
const ETHERNET_HEADER = 14;
const ALL_ROUTERS = "ff02::2";
/** RFC 2464, section 7. */
const ALL_ROUTERS_MAC = new Uint8Array([0x33, 0x33, 0, 0, 0, 2]);

/** Router advertisements that no router has forwarded. */
const ADVERTISEMENTS: readonly Instruction[] = [
  [Bpf.LoadByte, 0, 0, ETHERNET_HEADER + 6],
  [Bpf.JumpIfEqual, 0, 5, IPPROTO_ICMPV6],
  [Bpf.LoadByte, 0, 0, ETHERNET_HEADER + 7],
  [Bpf.JumpIfEqual, 0, 3, HOP_LIMIT],
  [Bpf.LoadByte, 0, 0, ETHERNET_HEADER + 40],
  [Bpf.JumpIfEqual, 0, 1, ROUTER_ADVERTISEMENT],
  [Bpf.Return, 0, 0, WHOLE],
  [Bpf.Return, 0, 0, 0],
];

export interface IcmpSocket {
  /** Of the interface. */
  readonly linkLocal: Ip;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** Sends an ICMPv6 message to all routers. False if the link cannot do it now. SysError. */
  send(icmp: Uint8Array): boolean;
  close(): void;
}

/**
 * Undefined while the interface cannot send: it is down, or has no link-local address. `received` is told router
 * advertisements. InterfaceGone, SysError.
 */
export function openIcmpSocket(
  { host, scheduler, target }: Pick<SourceContext, "host" | "scheduler" | "target">,
  received: (packet: IcmpPacket) => void,
): IcmpSocket | undefined {
  const opened = target.use((reached) => {
    const linkLocal = linkLocalAddress(reached);
    const { mac, mtu } = reached.link;
    if (linkLocal === undefined || mac?.bytes.length !== 6) return undefined;
    return { linkLocal, mac: mac.bytes, mtu, fd: openPacketSocket(reached, ETH_P_IPV6, ADVERTISEMENTS) };
  });
  if (opened === undefined) return undefined;
  const { fd, ...station } = opened;
  const watch = scheduler.watch(fd, () => {
    const frame = new Uint8Array(ETHERNET_HEADER + station.mtu);
    // A link that goes down is told as an error; the next solicitation meets it.
    const length = host.sys.recv(fd, frame, 0);
    const packet = length > 0 ? decodeIcmp(frame.subarray(ETHERNET_HEADER, length)) : undefined;
    if (packet) received(packet);
  });
  return {
    ...station,
    send(icmp) {
      const packet = encodeIcmp({ source: station.linkLocal, destination: parseIp(ALL_ROUTERS)!, icmp });
      const frame = new Writer(128).raw(ALL_ROUTERS_MAC).raw(station.mac).be16(ETH_P_IPV6).raw(packet);
      try {
        sendFrame(host, fd, frame.finish());
        return true;
      } catch (error) {
        if (!isPassing(error)) throw error;
        return false;
      }
    },
    close() {
      watch.stop();
      closePacketSocket(host, fd);
    },
  };
}
