import type { Ip } from "../../address/ip.ts";
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
import { isPassing, linkLocalAddress } from "../v6/link-local.ts";
import { decodeIcmp, encodeIcmp, HOP_LIMIT, type IcmpPacket, IPPROTO_ICMPV6 } from "./icmp.ts";

/** To the routers and neighbours of a link, and from them. A raw ICMPv6 socket would not tell who sent a message. */

const ETH_P_IPV6 = 0x86dd;
/** Two MAC addresses, and the protocol. */
const ETHERNET_HEADER = 14;

/** What an ICMP socket needs of the source that it is for. */
export type IcmpContext = Pick<SourceContext, "host" | "scheduler" | "target">;

export interface IcmpSocket {
  /** Of the interface. */
  readonly linkLocal: Ip;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** Sends an ICMPv6 message to a multicast group. False if the link cannot do it now. SysError. */
  send(group: Ip, icmp: Uint8Array): boolean;
  close(): void;
}

/**
 * Undefined while the interface cannot send: it is down, or has no link-local address. `received` is told ICMPv6
 * messages of one type. InterfaceGone, SysError.
 */
export function openIcmpSocket(
  { host, scheduler, target }: IcmpContext,
  type: number,
  received: (packet: IcmpPacket) => void,
): IcmpSocket | undefined {
  const opened = target.use((reached) => {
    const linkLocal = linkLocalAddress(reached);
    const { mac, mtu } = reached.link;
    if (linkLocal === undefined || mac?.bytes.length !== 6) return undefined;
    return { linkLocal, mac: mac.bytes, mtu, fd: openPacketSocket(reached, ETH_P_IPV6, messagesOf(type)) };
  });
  if (opened === undefined) return undefined;
  const { fd, ...station } = opened;
  const watch = scheduler.watch(fd, () => {
    const frame = new Uint8Array(ETHERNET_HEADER + station.mtu);
    // A link that goes down is told as an error; who sends meets it.
    const length = host.sys.recv(fd, frame, 0);
    const packet = length > 0 ? decodeIcmp(frame.subarray(ETHERNET_HEADER, length)) : undefined;
    if (packet) received(packet);
  });
  return {
    ...station,
    send(group, icmp) {
      const packet = encodeIcmp({ source: station.linkLocal, destination: group, icmp });
      // RFC 2464, section 7.
      const frame = new Writer(128).be16(0x3333).raw(group.bytes.subarray(12));
      try {
        sendFrame(host, fd, frame.raw(station.mac).be16(ETH_P_IPV6).raw(packet).finish());
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

/** Those that no router has forwarded. */
function messagesOf(type: number): readonly Instruction[] {
  return [
    [Bpf.LoadByte, 0, 0, ETHERNET_HEADER + 6],
    [Bpf.JumpIfEqual, 0, 5, IPPROTO_ICMPV6],
    [Bpf.LoadByte, 0, 0, ETHERNET_HEADER + 7],
    [Bpf.JumpIfEqual, 0, 3, HOP_LIMIT],
    [Bpf.LoadByte, 0, 0, ETHERNET_HEADER + 40],
    [Bpf.JumpIfEqual, 0, 1, type],
    [Bpf.Return, 0, 0, WHOLE],
    [Bpf.Return, 0, 0, 0],
  ];
}
