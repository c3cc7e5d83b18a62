import { type Ip, parseIp } from "../../address/ip.ts";
import { check } from "../../host/host.ts";
import { Writer } from "../../netlink/codec.ts";
import { AF_INET6 } from "../../netlink/family.ts";
import type { Reached } from "../container-interface.ts";
import type { IcmpContext } from "../ra/icmp-socket.ts";
import { isPassing, linkLocalAddress } from "./link-local.ts";
import { type Probe, probeDuplicate } from "./neighbour-probe.ts";

/** How a client reaches the servers, and the neighbours, of its link. */
export interface Transport {
  /**
   * Opens a way to the servers; undefined while the interface cannot send. `received` is told what comes back, from
   * callbacks of the scheduler. InterfaceGone, SysError.
   */
  open(received: (datagram: Uint8Array) => void): Channel | undefined;
  /** As `probeDuplicate`. */
  probe(address: Ip, windowMs: number, done: (duplicate: boolean) => void): Probe;
}

export interface Channel {
  /** To all servers and relays of the link. False if the interface cannot send now. SysError. */
  send(datagram: Uint8Array): boolean;
  close(): void;
}

const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
/** RFC 8415, sections 7.1 and 7.2. */
const CLIENT_PORT = 546;
const SERVER_PORT = 547;
const ALL_RELAY_AGENTS_AND_SERVERS = "ff02::1:2";
/** Answers have some hundred bytes; longer ones are not for us. */
const LONGEST = 4096;

/** By UDP on the container's interface. */
export function udpTransport(context: IcmpContext): Transport {
  return {
    open: (received) => openChannel(context, received),
    probe: (address, windowMs, done) => probeDuplicate(context, address, windowMs, done),
  };
}

function openChannel(
  { host, scheduler, target }: IcmpContext,
  received: (datagram: Uint8Array) => void,
): Channel | undefined {
  const socket = target.use(openSocket);
  if (socket === undefined) return undefined;
  const { fd, servers } = socket;
  const watch = scheduler.watch(fd, () => {
    const datagram = new Uint8Array(LONGEST);
    const length = host.sys.recv(fd, datagram, 0);
    // A link that goes down is told as an error; the next transmission meets it.
    if (length > 0) received(datagram.subarray(0, length));
  });
  return {
    send(datagram) {
      try {
        check("send", host.sys.sendto(fd, datagram, servers, 0), "DHCPv6");
        return true;
      } catch (error) {
        if (!isPassing(error)) throw error;
        return false;
      }
    },
    close() {
      watch.stop();
      host.close(fd);
    },
  };
}

/** A socket by this interface alone, from its link-local address, and where the servers are. */
function openSocket(reached: Reached): { fd: number; servers: Uint8Array } | undefined {
  const { netns, link } = reached;
  const { host } = netns;
  const source = linkLocalAddress(reached);
  if (source === undefined) return undefined;
  const fd = check("socket", host.sys.socket(netns.fd, AF_INET6, SOCK_DGRAM, 0), "DHCPv6");
  try {
    const name = host.encode(`${link.name}\0`);
    check("setsockopt", host.sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name), link.name);
    const own = socketAddress(source, CLIENT_PORT, link.index);
    check("bind", host.sys.bind(fd, own), `${source} port ${CLIENT_PORT}`);
  } catch (error) {
    host.close(fd);
    if (!isPassing(error)) throw error;
    return undefined;
  }
  const servers = socketAddress(parseIp(ALL_RELAY_AGENTS_AND_SERVERS)!, SERVER_PORT, link.index);
  return { fd, servers };
}

/** struct sockaddr_in6 (linux/in6.h): family, port, flow label, address, and the link that a link-local one is of. */
function socketAddress(ip: Ip, port: number, link: number): Uint8Array {
  return new Writer(28).u16(AF_INET6).be16(port).u32(0).raw(ip.bytes).u32(link).finish();
}
