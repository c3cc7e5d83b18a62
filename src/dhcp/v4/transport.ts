import { Ip } from "../../address/ip.ts";
import { MacAddress } from "../../address/mac.ts";
import { Writer } from "../../netlink/codec.ts";
import { AF_INET } from "../../netlink/family.ts";
import { getLinkByIndex, IFF_RUNNING, IFF_UP, type Link, setLink } from "../../netlink/link.ts";
import type { Reached } from "../container-interface.ts";
import type { Watch } from "../loop.ts";
import {
  Bpf,
  closePacketSocket,
  type Instruction,
  openPacketSocket,
  sendFrame,
  WHOLE,
} from "../packet-socket.ts";
import type { SourceContext } from "../source.ts";
import { decodeArp, encodeArpProbe } from "./arp.ts";
import { decodeUdp, encodeUdp } from "./packet.ts";

/**
 * How a client of DHCPv4 reaches the network: by frames, since most is said before the interface has an address. What is
 * said after that goes as frames too, to the MAC address that the server's answer came from: it depends neither on the
 * container's routes and packet filters nor on a neighbour that must be resolved first.
 */

const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
const ETHERNET_HEADER = 14;
const IPPROTO_UDP = 17;
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
/** No message is longer than the client says that it takes. */
const LONGEST_FRAME = 2048;

const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_BINDTODEVICE = 25;

const ANY = new Ip(new Uint8Array(4));

/** The interface cannot send: it is down, or has no carrier. In a moment it may be able to. */
export class LinkNotReady extends Error {
  constructor(message: string) {
    super(message);
    this.name = "LinkNotReady";
  }
}

/** A host, and the MAC address by which frames reach it: its own or a router's. */
export interface Peer {
  readonly ip: Ip;
  readonly mac: MacAddress;
}

const EVERYBODY: Peer = {
  ip: new Ip(new Uint8Array(4).fill(255)),
  mac: new MacAddress(new Uint8Array(6).fill(255)),
};

/** Is told the payload of what came to the client's port, and the MAC address it came from. */
export type Received = (payload: Uint8Array, from: MacAddress) => void;

/** An exchange of messages. */
export interface Channel {
  /** The interface's. */
  readonly mac: MacAddress;
  /** The interface's, in bytes. */
  readonly mtu: number;
  /** Other containers have the same MAC address; what is sent to it is told apart by IP addresses (ipvlan). */
  readonly sharesMac: boolean;
  /** To all, unless told otherwise. */
  send(payload: Uint8Array, to?: Peer): void;
  /** More than once is fine. */
  close(): void;
}

/**
 * What Dhcp4Source needs of its interface. The methods, and those of Channel, throw InterfaceGone; LinkNotReady,
 * NetlinkError or SysError when they cannot do it for now.
 */
export interface Transport {
  /** Begins to listen. `own`: the address that the interface has. Without it, the link is brought up if it is down. */
  open(received: Received, own?: Ip): Channel;
  /** Asks who has an address, and listens until it is stopped to who says that he has. */
  probe(address: Ip, found: (owner: MacAddress) => void): Watch;
}

/** The transport of an interface in a container. */
export class PacketTransport implements Transport {
  readonly #context: SourceContext;

  constructor(context: SourceContext) {
    this.#context = context;
  }

  open(received: Received, own?: Ip): Channel {
    return this.#context.target.use((reached) => {
      const link = own ? reached.link : brought(reached);
      return this.#channel({ netns: reached.netns, link }, received, own);
    });
  }

  probe(address: Ip, found: (owner: MacAddress) => void): Watch {
    return this.#context.target.use((reached) => {
      const { host } = this.#context;
      const mac = macOf(reached.link);
      const fd = openPacketSocket(reached, ETH_P_ARP, saidBy(address));
      const watch = this.#watch(fd, (frame) => {
        const arp = decodeArp(frame.subarray(ETHERNET_HEADER));
        const owner = arp && new MacAddress(arp.senderMac);
        // Some switches send a frame back to where it came from.
        if (owner && !owner.equals(mac)) found(owner);
      });
      try {
        sendFrame(host, fd, frameOf(EVERYBODY.mac, mac, ETH_P_ARP, encodeArpProbe(mac.bytes, address)));
        return watch;
      } catch (error) {
        watch.stop();
        throw error;
      }
    });
  }

  #channel(reached: Reached, received: Received, own: Ip | undefined): Channel {
    const { host } = this.#context;
    const { link } = reached;
    const mac = macOf(link);
    if (!(link.flags & IFF_RUNNING))
      throw new LinkNotReady(`${link.name} ${link.flags & IFF_UP ? "has no carrier" : "is down"}`);
    const fd = openPacketSocket(reached, ETH_P_IP, TO_CLIENTS);
    const port = own && this.#takePort(reached, own);
    const watch = this.#watch(fd, (frame) => {
      const datagram = decodeUdp(frame.subarray(ETHERNET_HEADER));
      if (datagram) received(datagram.payload, new MacAddress(frame.slice(6, 12)));
    });
    return {
      mac,
      mtu: link.mtu,
      sharesMac: link.kind === "ipvlan",
      send: (payload, to = EVERYBODY) => {
        const [source, destination] = [own ?? ANY, to.ip];
        const packet = encodeUdp({
          source,
          destination,
          sourcePort: CLIENT_PORT,
          destinationPort: SERVER_PORT,
          payload,
        });
        sendFrame(host, fd, frameOf(to.mac, mac, ETH_P_IP, packet));
      },
      close: () => {
        watch.stop();
        port?.stop();
      },
    };
  }

  /** Tells each frame, until it is stopped, which closes the descriptor. */
  #watch(fd: number, received: (frame: Uint8Array) => void): Watch {
    const { host, scheduler } = this.#context;
    let open = true;
    const watch = scheduler.watch(fd, () => {
      const frame = new Uint8Array(LONGEST_FRAME);
      // An error is that the link went down, or a frame that is too long; having been read, it is gone.
      const length = host.sys.recv(fd, frame, 0);
      if (length > ETHERNET_HEADER) received(frame.subarray(0, length));
    });
    return {
      stop: () => {
        if (!open) return;
        open = false;
        watch.stop();
        closePacketSocket(host, fd);
      },
    };
  }

  /**
   * A socket that nobody reads: without it, the kernel answers the server that the port is unreachable. Undefined if
   * there can be none: the port is taken, or the address not there.
   */
  #takePort({ netns, link }: Reached, own: Ip): Watch | undefined {
    const { host } = this.#context;
    const fd = host.sys.socket(netns.fd, AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) return undefined;
    host.sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, new Uint8Array([1, 0, 0, 0]));
    const bound =
      host.sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, host.encode(link.name)) === 0 &&
      host.sys.bind(fd, socketAddress(own, CLIENT_PORT)) === 0;
    if (bound) return { stop: () => host.close(fd) };
    host.close(fd);
    return undefined;
  }
}

/** The link, brought up if it was down. */
function brought({ netns, link }: Reached): Link {
  if (link.flags & IFF_UP) return link;
  netns.route.execute([setLink(link, { up: true })]);
  return netns.route.query(getLinkByIndex(link.index)) ?? link;
}

function macOf({ name, mac }: Link): MacAddress {
  if (mac?.bytes.length !== 6) throw new LinkNotReady(`${name} has no Ethernet address, which DHCPv4 needs`);
  return mac;
}

/** An Ethernet frame: to whom, from whom, ETH_P_*, payload. */
function frameOf(to: MacAddress, from: MacAddress, protocol: number, payload: Uint8Array): Uint8Array {
  const frame = new Writer(ETHERNET_HEADER + payload.length).raw(to.bytes).raw(from.bytes);
  return frame.be16(protocol).raw(payload).finish();
}

/** struct sockaddr_in (linux/in.h): family, port, address, padding. */
function socketAddress(ip: Ip, port: number): Uint8Array {
  return new Writer(16).u16(AF_INET).be16(port).raw(ip.bytes).zeros(8).finish();
}

/** Lets UDP to the client's port pass, fragments excepted. */
const TO_CLIENTS: readonly Instruction[] = [
  [Bpf.LoadByte, 0, 0, ETHERNET_HEADER + 9],
  [Bpf.JumpIfEqual, 0, 6, IPPROTO_UDP],
  [Bpf.LoadHalf, 0, 0, ETHERNET_HEADER + 6],
  [Bpf.JumpIfAnyBit, 4, 0, 0x3fff],
  [Bpf.LoadHeaderLength, 0, 0, ETHERNET_HEADER],
  [Bpf.LoadHalfAtX, 0, 0, ETHERNET_HEADER + 2],
  [Bpf.JumpIfEqual, 0, 1, CLIENT_PORT],
  [Bpf.Return, 0, 0, WHOLE],
  [Bpf.Return, 0, 0, 0],
];

/** Lets ARP pass whose sender has this address. */
function saidBy({ bytes }: Ip): readonly Instruction[] {
  const address = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return [
    [Bpf.LoadWord, 0, 0, ETHERNET_HEADER + 14],
    [Bpf.JumpIfEqual, 0, 1, address],
    [Bpf.Return, 0, 0, WHOLE],
    [Bpf.Return, 0, 0, 0],
  ];
}
