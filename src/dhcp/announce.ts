import { type Ip, parseIp } from "../address/ip.ts";
import { Writer } from "../netlink/codec.ts";
import type { Reached } from "./container-interface.ts";
import { Bpf, closePacketSocket, type Instruction, openPacketSocket, sendFrame } from "./packet-socket.ts";
import { encodeIcmp } from "./ra/icmp.ts";
import { encodeArpAnnouncement } from "./v4/arp.ts";

const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
const ALL_NODES = "ff02::1";
/** RFC 2464, section 7. */
const ALL_NODES_MAC = new Uint8Array([0x33, 0x33, 0, 0, 0, 1]);
const BROADCAST_MAC = new Uint8Array(6).fill(0xff);
const NEIGHBOUR_ADVERTISEMENT = 136;
/** Who remembers another MAC address is to take this one. */
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER_ADDRESS = 2;

const NOTHING: readonly Instruction[] = [[Bpf.Return, 0, 0, 0]];

/**
 * Tells the neighbours that the interface has these addresses (RFC 5227, section 2.3; RFC 4861, section 7.2.6): they may
 * remember who had them before. The kernel does so only when a link comes up, and this one is up since it asked for
 * them. SysError if it cannot be sent.
 */
export function announce(reached: Reached, addresses: readonly Ip[]): void {
  const mac = reached.link.mac?.bytes;
  if (mac?.length !== 6) return;
  for (const address of addresses) {
    const protocol = address.family === 4 ? ETH_P_ARP : ETH_P_IPV6;
    const [to, packet] =
      address.family === 4
        ? [BROADCAST_MAC, encodeArpAnnouncement(mac, address)]
        : [ALL_NODES_MAC, encodeAdvertisement(mac, address)];
    const { host } = reached.netns;
    const fd = openPacketSocket(reached, protocol, NOTHING);
    try {
      sendFrame(host, fd, new Writer(128).raw(to).raw(mac).be16(protocol).raw(packet).finish());
    } finally {
      closePacketSocket(host, fd);
    }
  }
}

/** A packet with an advertisement that nobody has asked for. */
function encodeAdvertisement(mac: Uint8Array, address: Ip): Uint8Array {
  const icmp = new Writer(32).u8(NEIGHBOUR_ADVERTISEMENT).zeros(3).u8(OVERRIDE).zeros(3).raw(address.bytes);
  icmp.u8(TARGET_LINK_LAYER_ADDRESS).u8(1).raw(mac);
  return encodeIcmp({ source: address, destination: parseIp(ALL_NODES)!, icmp: icmp.finish() });
}
